"""The page of the report: what stands in it, that hostile text stays text, that it needs nothing else."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bench.errors import ResultError
from bench.report import certificates, encode, text
from bench.report.board import Board
from bench.report.load import load
from bench.report.page import SCRIPTS, build, script
from bench.report.pictures import chunks
from tests import fake_run

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"quoted\" 'too'"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=32, posterior=True)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return build([run], tmp_path_factory.mktemp("report"), figures=False)


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


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_is_one_well_formed_file_that_asks_the_network_for_nothing(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert (parsed.stack, parsed.unbalanced) == ([], [])
    assert len(parsed.ids) == len(set(parsed.ids))
    assert not [link for link in parsed.links if re.match(r"(?i)(https?:)?//", link)]
    assert all(link[1:] in parsed.ids for link in parsed.links if link.startswith("#"))
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", text)


def test_failures_stand_on_a_strip_at_the_top_and_with_their_reasons_below(page):
    text = page.read_text(encoding="utf-8")
    assert "3 of 140 cells failed" in text
    assert "sampling diverged: NaN at step 212" in text


def test_a_clean_run_has_no_strip_and_no_failures_section(tmp_path):
    text = build([small(tmp_path / "r")], tmp_path / "out", figures=False).read_text(encoding="utf-8")
    assert "cells failed" not in text
    assert 'id="failures"' not in text


def test_circular_data_are_announced_before_the_first_number(tmp_path):
    text = build([small(tmp_path / "r", boundary="circular")], tmp_path / "out", figures=False).read_text(
        encoding="utf-8"
    )
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
    parsed = Page(build([folder], tmp_path / "out", figures=False).read_text(encoding="utf-8"))
    assert parsed.tags.count("script") == 2  # the numbers, and the page's own
    assert "img" not in parsed.tags
    assert (parsed.stack, parsed.unbalanced) == ([], [])


def test_text_from_the_run_file_cannot_become_markup(tmp_path):
    folder = small(tmp_path / "r")
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    hostile = dict.fromkeys(("name", "grid_file", "grid_text", "commit"), EVIL)
    (folder / "run.json").write_text(json.dumps({**facts, **hostile, "environment": {EVIL: EVIL}}), encoding="utf-8")
    parsed = Page(build([folder], tmp_path / "out", figures=False).read_text(encoding="utf-8"))
    assert parsed.tags.count("script") == 2  # the numbers, and the page's own
    assert "img" not in parsed.tags


def test_json_in_a_script_cannot_end_it():
    text = encode.script_json({"a": "</script><!--", "b": "\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--", "b": "\u2028"}


def test_a_report_over_an_older_one_leaves_no_stale_pictures(run, tmp_path):
    build([run], tmp_path, figures=False)
    (tmp_path / "data" / "notes.txt").write_text("mine", encoding="utf-8")
    shutil.copy(tmp_path / "data" / "cell-0000.js", tmp_path / "data" / "cell-9999.js")
    build([run], tmp_path, figures=False)
    assert not (tmp_path / "data" / "cell-9999.js").exists()
    assert (tmp_path / "data" / "notes.txt").exists()
    assert len(list((tmp_path / "data").glob("cell-*.js"))) == 20


def test_the_same_results_give_the_same_bytes(run, page, tmp_path):
    assert build([run], tmp_path, figures=False).read_bytes() == page.read_bytes()


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "deepinv", "lpips", "diffusers"}:
            raise ImportError(name + " was imported")
sys.meta_path.insert(0, Block())
from pathlib import Path
from bench.report.page import build
build([Path(sys.argv[1])], Path(sys.argv[2]), figures=False)
assert not {"matplotlib", "seaborn"} & set(sys.modules)
from bench.report.figures import curves, draw, frames, points, style
import matplotlib.pyplot, pandas, seaborn
"""


def test_a_report_imports_no_torch_and_nothing_that_plots_unless_it_draws(tmp_path):
    command = [sys.executable, "-c", BLOCKED, small(tmp_path / "run"), tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_single_file_holds_its_pictures_and_writes_nothing_else(run, tmp_path):
    page = build([run], tmp_path, single_file=True, figures=False)
    assert [f.name for f in tmp_path.iterdir()] == ["index.html"]
    parsed = Page(page.read_text(encoding="utf-8"))
    assert parsed.tags.count("script") == 2 + 20
    assert (parsed.stack, parsed.unbalanced) == ([], [])
    assert not [link for link in parsed.links if not link.startswith(("#", "data:"))]


def test_the_script_is_all_its_parts_and_no_part_is_long():
    folder = Path(sys.modules["bench.report.page"].HERE) / "static" / "js"
    assert {f.stem for f in folder.iterdir()} == set(SCRIPTS)
    assert all(len(f.read_text(encoding="utf-8").splitlines()) <= 400 for f in folder.iterdir())
    assert "</script" not in script()
    assert "innerHTML" not in script()


def test_no_part_of_the_script_imports_what_comes_after_it():
    folder = Path(sys.modules["bench.report.page"].HERE) / "static" / "js"
    for place, name in enumerate(SCRIPTS):
        imported = set(re.findall(r'from "\./(\w+)\.js"', (folder / f"{name}.js").read_text(encoding="utf-8")))
        assert imported <= set(SCRIPTS[:place]), name


def test_every_name_of_the_scripts_modules_is_unique_since_they_share_one_scope():
    folder = Path(sys.modules["bench.report.page"].HERE) / "static" / "js"
    names = [
        name
        for file in folder.iterdir()
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:function|const|let) ([\w$]+)", file.read_text("utf-8"), re.M
        )
    ]
    assert len(names) == len(set(names))
    assert not re.search(r"^(?:import|export)\b", script(), re.M)


def test_a_picture_carries_its_key_and_the_scores_of_its_cell(run):
    results = load([run])
    board = Board.from_rows(results.rows)
    chunk = chunks(results.pictures, board)[3]
    shown = {p["label"]: p for p in json.loads(chunk.json)["pictures"]}
    tv = board.solvers.index("tv")
    row = board.rows[tv][chunk.cell]
    assert row
    assert shown["tv"]["key"] == row["cell_key"][:12]
    assert shown["tv"]["scores"]["psnr"] == pytest.approx(board.values("psnr")[tv, chunk.cell])
    assert shown["measurement"]["scores"]["psnr"] == pytest.approx(board.inputs("psnr")[chunk.cell])


def test_certificates_are_read_shown_and_a_failure_outweighs_a_pass(run, page):
    shown = certificates.read([run])
    assert [c["solver"] for c in shown] == ["dps", "tv"]
    both = [*shown, {**shown[0], "verdict": "fail", "text": "later"}]
    worse = {"verdict": "fail", "grade": "", "text": "gaussian: pass; gaussian: later"}
    assert certificates.of_solver(both, "dps") == worse
    assert certificates.of_solver(shown, "wiener") is None
    assert 'id="certificates"' in page.read_text(encoding="utf-8")


def test_a_certificate_counts_for_the_settings_it_was_made_for_alone():
    made = {"solver": "dps", "verdict": "pass", "grade": "A", "oracle": "", "text": "good", "settings": {"steps": 9}}
    ran = [{"steps": 9, "weights": "photos"}]
    assert certificates.of_solver([made], "dps", settings=ran) == {"verdict": "pass", "grade": "A", "text": "good"}
    assert certificates.of_solver([made], "dps", settings=[{"steps": 10}]) is None
    partly = certificates.of_solver([made], "dps", settings=[*ran, {"steps": 10}])
    assert partly is not None
    assert partly["text"] == "good (for 1 of 2 settings that ran)"


@pytest.mark.parametrize("text", ["[]", "{", '{"solver": "tv", "verdict": "perhaps"}'])
def test_a_file_that_is_no_certificate_is_named(tmp_path, text):
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "tv.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultError, match=r"tv\.json"):
        certificates.read([tmp_path])


def test_environments_of_the_workers_are_listed_once_each(tmp_path):
    from bench.results import parquet as results

    folders = [small(tmp_path / name, name=name) for name in ("a", "b")]
    for folder in folders:
        results.write_environments(folder / "env.parquet", {"e1": {"cpu": EVIL}, "e2": {"cpu": "abacus"}})
    text = build(folders, tmp_path / "out", figures=False).read_text(encoding="utf-8")
    assert text.count("abacus") == 1
    assert Page(text).tags.count("script") == 2


def test_without_certificates_or_samples_the_page_speaks_of_neither(tmp_path):
    text = build([small(tmp_path / "r")], tmp_path / "out", figures=False).read_text(encoding="utf-8")
    assert 'id="certificates"' not in text
    assert 'id="posterior"' not in text


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
