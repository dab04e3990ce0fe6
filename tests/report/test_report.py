"""The numbers of the report, from synthetic runs, and what it refuses to put into one table."""

import csv
import itertools
import json
import re
import shutil

import numpy as np
import pytest
from rich.console import Console

from bench.errors import ResultError
from bench.report import facts, tables
from bench.report.board import Board
from bench.report.conclusion import conclusion
from bench.report.load import load
from bench.report.page import build
from bench.report.terminal import summary, telling
from bench.results.folder import Row
from tests import fake_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=32)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return build([run], tmp_path_factory.mktemp("report"), figures=False)


@pytest.fixture(scope="module")
def board(run):
    return Board.from_rows(load([run]).rows)


def small(folder, **kwargs):
    chosen = {name: fake_run.SOLVERS[name] for name in ("blurred", "wiener", "tv")}
    return fake_run.write(folder, **{"size": 24, "fail": False, "images": 2, "solvers": chosen, **kwargs})


# --- numbers ------------------------------------------------------------------------------------------------------


def test_the_leaderboard_holds_the_mean_of_image_means_of_the_rows(board):
    entry = next(e for e in tables.leaderboard(board, "wiener") if e["solver"] == "tv")
    values = board.column("m_psnr")[board.solvers.index("tv")]
    expected = np.mean([values[board.images == i].mean() for i in np.unique(board.images)])
    assert entry["scores"]["psnr"].mean == pytest.approx(expected)


def test_solvers_stand_best_first_and_the_leading_one_may_be_the_best(board):
    scores = [e["scores"]["psnr"] for e in tables.leaderboard(board, "wiener")]
    assert [s.mean for s in scores] == sorted((s.mean for s in scores), reverse=True)
    assert scores[0].maybe_best
    assert not scores[-1].maybe_best


def test_below_eight_photographs_there_are_no_rank_ranges(board, tmp_path_factory):
    assert all(e["scores"]["psnr"].ranks is None for e in tables.leaderboard(board, "wiener"))
    large = load([fake_run.write_large(tmp_path_factory.mktemp("large"), solvers=3, settings=2, images=9)])
    ranks = [e["scores"]["psnr"].ranks for e in tables.leaderboard(Board.from_rows(large.rows), None)]
    assert all(low <= place <= high for place, (low, high) in enumerate(ranks, start=1))


def test_under_three_photographs_there_is_no_interval(tmp_path):
    board = Board.from_rows(load([small(tmp_path)]).rows)
    for entry in tables.leaderboard(board, "wiener"):
        score = entry["scores"]["psnr"]
        assert np.isnan([score.low, score.high]).all()
        assert score.delta is None or np.isnan(score.delta.low)


def test_crops_of_one_photograph_are_one_group(tmp_path):
    rows = [{**r, "group": "the same"} for r in load([small(tmp_path)]).rows]
    board = Board.from_rows(rows)
    assert len(set(board.images)) == 2
    assert tables.standings(board, "psnr", None).groups == 1


def test_kernels_that_pictures_share_are_counted_and_own_ones_are_not(board):
    assert tables.standings(board, "psnr", None).kernels is None
    shared: list[list[Row | None]] = [[r and {**r, "kernel": r["setting"]} for r in line] for line in board.rows]
    crossed = Board(board.solvers, board.cells, shared, board.metrics)
    assert tables.standings(crossed, "psnr", None).kernels == 4


def test_differences_have_the_direction_of_the_metric(board):
    scores = {e["solver"]: e["scores"] for e in tables.leaderboard(board, "wiener")}
    assert scores["tv"]["psnr"].delta.better is True
    assert scores["tv"]["lpips_alex"].delta.better is True
    assert scores["tv"]["lpips_alex"].delta.mean < 0
    assert scores["blurred"]["psnr"].delta.better is False
    assert scores["wiener"]["psnr"].delta is None


def test_a_check_metric_ranks_nothing(board):
    for entry in tables.leaderboard(board, "wiener"):
        assert entry["scores"]["residual_chi2"].ranks is None
        assert entry["scores"]["residual_chi2"].maybe_best is None
        assert entry["scores"]["residual_chi2"].delta is None


def test_a_sampler_stands_by_the_mean_of_its_samples_and_one_sample_has_a_column_of_its_own(tmp_path):
    board = Board.from_rows(load([fake_run.write(tmp_path, size=24, posterior=True)]).rows)
    dps, tv = board.solvers.index("dps"), board.solvers.index("tv")
    ran = ~board.failed[dps]
    assert board.values("psnr")[dps, ran] == pytest.approx(board.column("m_psnr_mean")[dps, ran])
    assert board.values("psnr")[tv] == pytest.approx(board.column("m_psnr")[tv])
    assert board.values("psnr_sample")[dps, ran] == pytest.approx(board.column("m_psnr")[dps, ran])
    assert np.isnan(board.values("psnr_sample")[tv]).all()
    assert "psnr_mean" not in board.metrics


def test_rows_that_implement_one_estimator_share_a_name(tmp_path):
    rows = load([small(tmp_path)]).rows
    twins = [{**r, "same_as": "wiener"} if r["solver"] == "tv" else r for r in rows]
    entries = {e["solver"]: e for e in tables.leaderboard(Board.from_rows(twins), "blurred")}
    assert {s: e["same_as"] for s, e in entries.items()} == {"blurred": "blurred", "wiener": "wiener", "tv": "wiener"}


def test_a_failed_cell_counts_as_the_blurred_input(board):
    dps = board.solvers.index("dps")
    failed = board.failed[dps]
    assert failed.sum() == 3
    inputs = board.column("m_psnr")[board.solvers.index("blurred")]
    assert board.values("psnr")[dps, failed] == pytest.approx(inputs[failed])
    assert np.isnan(board.values("residual_chi2")[dps, failed]).all()


def test_the_baseline_is_the_wanted_one_else_wiener_else_the_blurred_input(board):
    assert tables.pick_baseline(board, "tv") == "tv"
    assert tables.pick_baseline(board) == "wiener"
    only = Board(["blurred"], board.cells, [board.rows[board.solvers.index("blurred")]], board.metrics)
    assert tables.pick_baseline(only) == "blurred"


def test_tuned_values_come_with_the_cost_of_their_search(run):
    tuned = facts.tuned_values(load([run]).rows)
    tv = next(row for row in tuned["rows"] if row["solver"] == "tv")
    assert tv["cells"] == [[("lam", v)] for v in ("0.002", "0.004", "0.006", "0.008")]
    assert (tv["tried"], tv["runs"]) == (16, 16)


def test_oracle_tuning_is_labelled_and_shows_the_range_over_images(tmp_path):
    rows, number = load([small(tmp_path, change={"tuning": "oracle"})]).rows, itertools.count(1)
    rows = [
        {**r, "tuned": json.dumps({"lam": 0.001 * next(number)})}
        if r["solver"] == "tv" and r["phase"] == "test"
        else r
        for r in rows
    ]
    tv = next(r for r in facts.tuned_values(rows)["rows"] if r["solver"] == "tv")
    assert tv["tuning"] == "oracle"
    assert tv["cells"][0] == [("lam", "0.001 to 0.002")]
    assert any("oracle" in notice for notice in facts.notices(rows))


def test_failures_are_grouped_by_reason_and_lose_no_cell(run):
    groups = facts.failures(load([run]).rows)
    assert [(g["solver"], g["status"], g["count"]) for g in groups] == [("dps", "timeout", 2), ("dps", "error", 1)]
    assert sum(len(g["cells"]) for g in groups) == 3


def test_the_weights_of_a_solver_are_named_with_the_beginning_of_their_hash(tmp_path):
    change = {"solver_settings": '{"weights": "weights/photos.safetensors"}', "weights_sha": "ab12" * 16}
    board = Board.from_rows(load([small(tmp_path / "with", change=change)]).rows)
    assert tables.entry_facts(board, 1)["weights"] == "photos ab12ab12ab12"
    assert tables.entry_facts(Board.from_rows(load([small(tmp_path / "without")]).rows), 1)["weights"] == ""


def test_the_csv_has_one_line_per_solver_and_the_pages_numbers(page, board):
    with (page.parent / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    entries = tables.leaderboard(board, "wiener")
    assert [line["solver"] for line in lines] == [e["solver"] for e in entries]
    assert float(lines[0]["psnr_mean"]) == pytest.approx(entries[0]["scores"]["psnr"].mean)


# --- what must not be compared ------------------------------------------------------------------------------------


def test_runs_on_different_measurements_are_refused_by_name(tmp_path):
    a = small(tmp_path / "a", name="a")
    b = small(tmp_path / "b", name="b", seed=1)
    with pytest.raises(
        ResultError, match=r"not comparable: image 'lena_like' of 'photos' \(test\) under 'shake T=0.25 · high'"
    ):
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


@pytest.mark.parametrize(("name", "value"), [("border", 4), ("clip", False)])
def test_runs_that_were_scored_under_different_protocols_are_refused(tmp_path, name, value):
    a, b = small(tmp_path / "a", name="a"), small(tmp_path / "b", name="b")
    facts = json.loads((b / "run.json").read_text(encoding="utf-8"))
    facts["protocol"][name] = value
    (b / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ResultError, match=f"different protocols: a has {name}"):
        load([a, b])


def test_one_name_with_two_meanings_is_told_apart_by_run(tmp_path):
    from bench.results import parquet as results

    a = small(tmp_path / "a", name="old")
    b = small(tmp_path / "b", name="new", change={"solver_settings": '{"steps": 7}'})
    rows = [{**r, "cell_key": r["cell_key"][::-1]} for r in results.read(b / "results.parquet")]  # other settings
    results.write(b / "results.parquet", rows, fake_run.METRICS)
    board = Board.from_rows(load([a, b]).rows)
    assert set(board.solvers) == {f"{s} @ {run}" for s in ("blurred", "wiener", "tv") for run in ("old", "new")}
    assert not board.absent.any()


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
    text = build([folder], tmp_path / "out", figures=False).read_text(encoding="utf-8")
    assert 'id="viewer"' not in text
    assert "Leaderboard" in text


# --- terminal -----------------------------------------------------------------------------------------------------


def printed(table, **kwargs):
    console = Console(width=140, **kwargs)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_the_terminal_summary_has_a_line_per_solver_with_value_cost_and_failures(run):
    lines = printed(summary(load([run]).rows)).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]][:2] == ["tv", "dps"]
    assert "Δ to wiener (nominal 95 %)" in lines[0]
    assert re.search(r"\+\d\.\d\d \(\+\d\.\d\d to \+\d\.\d\d\) ●", lines[1])
    assert "3 of 20" in next(line for line in lines if line.startswith("dps"))
    assert "PSNR ↑" in lines[0]


def test_the_terminal_ends_with_the_sentences_that_head_the_page(run, board):
    sentences = conclusion(board, "wiener")
    assert any("Against the baseline wiener" in s for s in sentences)
    assert " ".join(printed(summary(load([run]).rows)).split()).endswith(" ".join(sentences))


def test_a_run_without_a_metric_that_ranks_concludes_nothing(board):
    only = Board(board.solvers, board.cells, board.rows, ["residual_chi2"])
    assert conclusion(only, "wiener") == []


def test_the_terminal_summary_shows_brackets_in_names_as_they_are(tmp_path):
    rows = load([small(tmp_path, change={"solver": "tv [red]x[/red]"})]).rows
    assert "tv [red]x[/red]" in printed(summary(rows))


def test_a_terminal_shows_the_most_telling_of_many_metrics() -> None:
    many = ["psnr", "ssim", "lpips_alex", "residual_chi2", "crps", "coverage_50", "psnr_sample", "ssim_sample"]
    assert telling(many) == ["psnr", "psnr_sample", "crps", "ssim"]
    assert telling(["ssim", "psnr", "residual_chi2", "lpips_alex", "coverage_90"])[:2] == ["ssim", "psnr"]
