"""The report, from synthetic runs: numbers, refusals, escaping, and independence of torch."""

import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))
import fake_run

from bench.errors import ResultError
from bench.report import details, pictures, tables, text
from bench.report.board import Board
from bench.report.build import build
from bench.report.load import load
from bench.report.terminal import summary

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"quoted\" 'too'"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=32)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return build([run], tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def board(run):
    return Board.from_rows(load([run]).rows)


def small(folder, **kwargs):
    chosen = {name: fake_run.SOLVERS[name] for name in ("blurred", "wiener", "tv")}
    return fake_run.write(folder, **{"size": 24, "fail": False, "images": 2, "solvers": chosen, **kwargs})


class Page(HTMLParser):
    """Balanced tags, ids, and what the page would ask the network for."""

    VOID = ("meta", "link", "br", "input", "img")

    def __init__(self, text):
        super().__init__()
        self.stack, self.ids, self.links, self.tags, self.unbalanced = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [v for k, v in attrs if k in ("src", "href", "action") and v]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.unbalanced.append(tag)


# --- numbers ------------------------------------------------------------------------------------------------------


def test_the_leaderboard_holds_the_mean_of_image_means_of_the_rows(board):
    entry = next(e for e in tables.leaderboard(board, "wiener") if e["solver"] == "tv")
    values = board.column("m_psnr")[board.solvers.index("tv")]
    expected = np.mean([values[board.images == i].mean() for i in np.unique(board.images)])
    assert entry["scores"]["psnr"]["mean"] == pytest.approx(expected)


def test_solvers_stand_best_first_with_rank_ranges_round_their_place(board):
    entries = tables.leaderboard(board, "wiener")
    means = [e["scores"]["psnr"]["mean"] for e in entries]
    assert means == sorted(means, reverse=True)
    for place, entry in enumerate(entries, start=1):
        low, high = entry["scores"]["psnr"]["rank"]
        assert low <= place <= high


def test_differences_have_the_direction_of_the_metric(board):
    scores = {e["solver"]: e["scores"] for e in tables.leaderboard(board, "wiener")}
    assert scores["tv"]["psnr"]["delta"]["verdict"] == "better"
    assert scores["tv"]["lpips_alex"]["delta"]["verdict"] == "better"
    assert scores["tv"]["lpips_alex"]["delta"]["mean"] < 0
    assert scores["blurred"]["psnr"]["delta"]["verdict"] == "worse"
    assert scores["wiener"]["psnr"]["delta"] is None


def test_a_check_metric_ranks_nothing(board):
    for entry in tables.leaderboard(board, "wiener"):
        assert entry["scores"]["residual_chi2"]["rank"] is None
        assert entry["scores"]["residual_chi2"]["delta"] is None


def test_a_failed_cell_counts_as_the_blurred_input(board):
    dps = board.solvers.index("dps")
    failed = board.failed[dps]
    assert failed.sum() == 3
    inputs = board.column("m_psnr")[board.solvers.index("blurred")]
    assert board.values("psnr")[dps, failed] == pytest.approx(inputs[failed])
    assert np.isnan(board.values("residual_chi2")[dps, failed]).all()


def test_the_gap_is_zero_for_the_best_of_every_setting_and_positive_elsewhere(board):
    order = [e["solver"] for e in tables.leaderboard(board, None)]
    for metric in board.metrics:
        table = tables.by_setting(board, metric, order)
        gaps = np.array([[c["gap"] for c in row["cells"]] for row in table["rows"]])
        assert np.nanmin(gaps, axis=0) == pytest.approx(0)
        assert all(0 <= c["heat"] <= 100 for row in table["rows"] for c in row["cells"])


def test_the_baseline_is_the_wanted_one_else_wiener_else_the_blurred_input(board):
    assert tables.pick_baseline(board, "tv") == "tv"
    assert tables.pick_baseline(board) == "wiener"
    only = Board(["blurred"], board.cells, [board.rows[board.solvers.index("blurred")]], board.metrics)
    assert tables.pick_baseline(only) == "blurred"


def test_tuned_values_come_with_the_cost_of_their_search(run):
    tuned = details.tuned_values(load([run]).rows)
    tv = next(row for row in tuned["rows"] if row["solver"] == "tv")
    assert tv["cells"] == [[("lam", v)] for v in ("0.002", "0.004", "0.006", "0.008")]
    assert (tv["tried"], tv["runs"]) == (16, 16)


def test_oracle_tuning_is_labelled_and_shows_the_range_over_images(tmp_path):
    rows = load([small(tmp_path, change={"tuning": "oracle"})]).rows
    for i, row in enumerate(r for r in rows if r["solver"] == "tv" and r["phase"] == "test"):
        row["tuned"] = json.dumps({"lam": 0.001 * (1 + i)})
    tv = next(r for r in details.tuned_values(rows)["rows"] if r["solver"] == "tv")
    assert tv["tuning"] == "oracle"
    assert tv["cells"][0] == [("lam", "0.001 to 0.002")]
    assert any("oracle" in notice for notice in details.notices(rows))


def test_failures_are_grouped_by_reason_and_lose_no_cell(run):
    groups = details.failures(load([run]).rows)
    assert [(g["solver"], g["status"], g["count"]) for g in groups] == [("dps", "timeout", 2), ("dps", "error", 1)]
    assert sum(len(g["cells"]) for g in groups) == 3


def test_the_csv_has_one_line_per_solver_and_the_pages_numbers(page, board):
    with (page.parent / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    entries = tables.leaderboard(board, "wiener")
    assert [line["solver"] for line in lines] == [e["solver"] for e in entries]
    assert float(lines[0]["psnr_mean"]) == pytest.approx(entries[0]["scores"]["psnr"]["mean"])


# --- what must not be compared ------------------------------------------------------------------------------------


def test_runs_on_different_measurements_are_refused_by_name(tmp_path):
    a = small(tmp_path / "a", name="a")
    b = small(tmp_path / "b", name="b", seed=1)
    with pytest.raises(ResultError, match=r"not comparable: setting 'shake T=0.25 · high', image 'lena_like'"):
        build([a, b], tmp_path / "out")


def test_one_deviating_measurement_inside_a_run_is_refused(tmp_path):
    results = load([small(tmp_path)])
    rows = [dict(r) for r in results.rows]
    rows[4]["y_sha"] = "0" * 64
    from bench.report.load import check_measurements

    with pytest.raises(ResultError, match="000000000000"):
        check_measurements(rows)


def test_the_proof_counts_every_measurement_once(run):
    results = load([run])
    assert (results.groups, results.shared) == (20, 20)


def test_two_runs_of_one_grid_join_into_one_table(tmp_path):
    a = small(tmp_path / "a", solvers={"wiener": fake_run.SOLVERS["wiener"]})
    b = small(tmp_path / "b", solvers={"tv": fake_run.SOLVERS["tv"]})
    board = Board.from_rows(load([a, b]).rows)
    assert board.solvers == ["wiener", "tv"]
    assert not board.absent.any()


def test_the_same_run_given_twice_changes_nothing(tmp_path):
    a = small(tmp_path / "a")
    assert len(load([a, a]).rows) == len(load([a]).rows)


def test_one_name_with_two_meanings_is_told_apart_by_run(tmp_path):
    a = small(tmp_path / "a", name="old")
    b = small(tmp_path / "b", name="new", change={"solver_settings": '{"steps": 7}'})
    solvers = Board.from_rows(load([a, b]).rows).solvers
    assert "tv @ old" in solvers or "tv" not in solvers


@pytest.mark.parametrize("missing", ["run.json", "results.parquet"])
def test_a_folder_that_is_no_run_is_named(tmp_path, missing):
    folder = small(tmp_path / "r")
    (folder / missing).unlink()
    with pytest.raises(ResultError, match=missing):
        load([folder])


def test_a_broken_parquet_file_is_an_error_that_names_it(tmp_path):
    folder = small(tmp_path / "r")
    (folder / "results.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ResultError, match=r"results\.parquet cannot be read as results"):
        load([folder])


def test_an_unknown_baseline_is_refused_with_a_guess(run, tmp_path):
    with pytest.raises(ResultError, match="Did you mean 'wiener'"):
        build([run], tmp_path, baseline="weiner")


def test_a_missing_index_of_images_leaves_the_viewer_out(tmp_path):
    folder = small(tmp_path / "r")
    shutil.rmtree(folder / "images")
    text = build([folder], tmp_path / "out").read_text(encoding="utf-8")
    assert 'id="viewer"' not in text
    assert "Leaderboard" in text


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_is_one_well_formed_file_that_asks_the_network_for_nothing(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert (parsed.stack, parsed.unbalanced) == ([], [])
    assert len(parsed.ids) == len(set(parsed.ids))
    assert not [link for link in parsed.links if re.match(r"(?i)(https?:)?//", link)]
    assert all(link[1:] in parsed.ids for link in parsed.links if link.startswith("#"))
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", text)


def test_failures_stand_on_a_strip_at_the_top_and_in_every_table(page):
    text = page.read_text(encoding="utf-8")
    assert "3 of 140 cells failed" in text
    assert "sampling diverged: NaN at step 212" in text
    assert "✕ 3 of 20" in text


def test_a_clean_run_has_no_strip_and_no_failures_section(tmp_path):
    text = build([small(tmp_path / "r")], tmp_path / "out").read_text(encoding="utf-8")
    assert "cells failed" not in text
    assert 'id="failures"' not in text


def test_circular_data_are_announced_before_the_first_number(tmp_path):
    text = build([small(tmp_path / "r", boundary="circular")], tmp_path / "out").read_text(encoding="utf-8")
    assert 0 < text.index("Circular boundary") < text.index('id="leaderboard"')


@pytest.mark.parametrize("column", ["solver", "setting", "image", "error_message", "noise", "psf_note", "tuned"])
def test_text_from_results_cannot_become_markup(tmp_path, column):
    value = json.dumps({EVIL: EVIL}) if column == "tuned" else EVIL
    folder = fake_run.write(
        tmp_path / "r",
        size=24,
        images=2,
        solvers={"tv": fake_run.SOLVERS["tv"]},
        change={column: value, "status": "error", "y_sha": "0" * 64},
    )
    parsed = Page(build([folder], tmp_path / "out").read_text(encoding="utf-8"))
    assert parsed.tags.count("script") == 2
    assert "img" not in parsed.tags
    assert (parsed.stack, parsed.unbalanced) == ([], [])


def test_text_from_the_run_file_cannot_become_markup(tmp_path):
    folder = small(tmp_path / "r")
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    hostile = dict.fromkeys(("name", "grid_file", "grid_text", "commit"), EVIL)
    (folder / "run.json").write_text(json.dumps({**facts, **hostile, "environment": {EVIL: EVIL}}), encoding="utf-8")
    parsed = Page(build([folder], tmp_path / "out").read_text(encoding="utf-8"))
    assert parsed.tags.count("script") == 2
    assert "img" not in parsed.tags


def test_json_in_a_script_cannot_end_it():
    text = pictures.script_json({"a": "</script><!--", "b": "\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--", "b": "\u2028"}


def test_a_report_over_an_older_one_leaves_no_stale_pictures(run, tmp_path):
    build([run], tmp_path)
    (tmp_path / "data" / "notes.txt").write_text("mine", encoding="utf-8")
    shutil.copy(tmp_path / "data" / "cell-0000.js", tmp_path / "data" / "cell-9999.js")
    build([run], tmp_path)
    assert not (tmp_path / "data" / "cell-9999.js").exists()
    assert (tmp_path / "data" / "notes.txt").exists()
    assert len(list((tmp_path / "data").glob("cell-*.js"))) == 20


def test_the_same_results_give_the_same_bytes(run, page, tmp_path):
    assert build([run], tmp_path).read_bytes() == page.read_bytes()


def chunk(page, number):
    text = (page.parent / "data" / f"cell-{number:04d}.js").read_text(encoding="ascii")
    assert text.startswith('benchCell("cell-')
    return json.loads(text[text.index(",") + 1 : text.rindex(");")])["pictures"]


def test_a_chunk_holds_truth_measurement_psf_and_every_solver_or_its_failure(page):
    shown = chunk(page, 1)
    assert [p["kind"] for p in shown[:3]] == ["truth", "y", "psf"]
    assert {p["label"] for p in shown[3:]} == set(fake_run.SOLVERS)
    dps = next(p for p in shown if p["label"] == "dps")
    assert "src" not in dps
    assert "diverged" in dps["failure"]
    assert all(p["src"].startswith("data:image/webp;base64,") for p in shown if p["label"] != "dps")


def test_a_picture_is_the_array_rounded_to_8_bits():
    import base64
    import io

    from PIL import Image

    x = fake_run.scene(1, 24, channels=3)
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures.data_uri(x).split(",")[1]))).convert("RGB"))
    assert (decoded == np.moveaxis(np.round(255 * x).astype(np.uint8), 0, -1)).all()


def test_a_psf_is_cropped_to_its_support_about_its_centre():
    psf = np.zeros((31, 31))
    psf[15, 12:16] = 0.25
    support = pictures._support(psf)
    assert support.shape == (9, 9)
    assert support.sum() == pytest.approx(1)
    assert support[4, 4] == 0.25


def test_the_report_never_imports_torch(run, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; from bench.report.build import build\n"
        "build([Path(sys.argv[1])], Path(sys.argv[2]))\n"
        "assert not {'lpips', 'deepinv', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, run, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("value", "shown"),
    [(6e-6, "6 µs"), (0.0042, "4.2 ms"), (0.72, "720 ms"), (1.94, "1.9 s"), (161, "3 min"), (1.5e4, "4 h 10")],
)
def test_durations_are_shown_at_the_precision_one_reads(value, shown):
    assert text.seconds(value) == shown


def test_numbers_have_fixed_decimals_a_real_minus_and_no_negative_zero():
    shown = [text.number(v, 2) for v in (-1.005e-3, -1.5, np.inf, np.nan, None, 30)]
    assert shown == ["0.00", "−1.50", "∞", "–", "–", "30.00"]
    assert [text.signed(v, 1) for v in (0.26, -0.26, 0.01)] == ["+0.3", "−0.3", "0.0"]


# --- terminal -----------------------------------------------------------------------------------------------------


def printed(table, **kwargs):
    console = Console(width=140, **kwargs)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_the_terminal_summary_has_a_line_per_solver_with_value_cost_and_failures(run):
    lines = printed(summary(load([run]).rows)).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]][:2] == ["tv", "dps"]
    assert "3 of 20" in next(line for line in lines if line.startswith("dps"))
    assert "PSNR ↑" in lines[0]


def test_the_terminal_summary_shows_brackets_in_names_as_they_are(tmp_path):
    rows = load([small(tmp_path, change={"solver": "tv [red]x[/red]"})]).rows
    assert "tv [red]x[/red]" in printed(summary(rows))
