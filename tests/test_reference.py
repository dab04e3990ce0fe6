"""The project's stored results, and the numbers that the documentation draws from them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bench.errors import ResultError, SettingError
from bench.report.board import Board
from bench.report.conclusion import conclusion
from bench.report.tables import pick_baseline
from bench.results import parquet
from tests import fake_run

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks are part of a checkout alone")


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("reference")


@pytest.fixture
def place(reference: ModuleType, tmp_path: Path) -> Path:
    """A folder with the run ``demo`` stored."""
    run = fake_run.write(tmp_path / "demo", size=32, change={"traceback": "long"})
    reference.store(run, tmp_path / "reference")
    return tmp_path / "reference"


@pytest.mark.parametrize("file", sorted((ROOT / "docs").glob("*.md")), ids=lambda f: f.name)
def test_every_table_drawn_from_a_stored_run_says_what_the_run_says(reference: ModuleType, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert reference.written(text) == text, "python benchmarks/reference.py write"


@pytest.mark.parametrize("file", sorted((ROOT / "reports" / "reference").glob("*.parquet")), ids=lambda f: f.stem)
def test_a_stored_run_is_small_and_says_what_made_it(reference: ModuleType, file: Path) -> None:
    assert file.stat().st_size <= reference.LARGEST
    made = reference.about(file)
    assert made["command"].startswith(f"bench run {file.stem}")
    assert len(made["commit"]) == 40
    assert f"name: {file.stem}" in made["grid_text"]
    assert all(r["phase"] == "test" for r in parquet.read(file))


def test_a_part_of_a_grid_is_stored_with_the_words_that_chose_it(reference: ModuleType, tmp_path: Path) -> None:
    run = fake_run.write(tmp_path / "demo", size=32, change={"traceback": "long"})
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    facts |= {"only": "solver in ['tv', 'wiener']", "limit": 3}
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    made = reference.about(reference.store(run, tmp_path / "reference"))
    assert made["command"] == """bench run demo --only 'solver in ['"'"'tv'"'"', '"'"'wiener'"'"']' --limit 3"""


def test_a_table_has_the_means_of_the_rows_and_stays_as_it_is_when_written_again(
    reference: ModuleType, place: Path
) -> None:
    mark = "<!-- reference: {file: demo, solvers: [tv, wiener], columns: noise, gain: true} -->"
    text = f"before\n{mark}\n<!-- /reference -->\nafter"
    table = reference.written(text, place)
    assert reference.written(table, place) == table
    rows = [r for r in parquet.read(place / "demo.parquet") if r["solver"] == "tv"]
    by_setting = {
        s: [r for r in rows if r["setting"] == s and r["noise"] == "high"] for s in {r["setting"] for r in rows}
    }
    means = [
        np.mean([[r["m_psnr"], r["m_psnr"] - r["in_psnr"]] for r in own], axis=0)
        for own in by_setting.values()
        if own
    ]
    value, gain = np.mean(means, axis=0)
    assert f"| tv | {value:.2f}, +{gain:.2f} |" in table


def test_a_difference_in_a_sentence_is_paired_and_has_its_interval(reference: ModuleType, place: Path) -> None:
    mark = "<!-- reference: {file: demo, solver: tv, less: wiener} -->"
    text = reference.written(f"TV gains {mark}1\n<!-- /reference --> dB.", place)
    board = Board.from_rows(parquet.read(place / "demo.parquet"))
    tv, wiener = (board.values("psnr")[board.solvers.index(s)] for s in ("tv", "wiener"))
    gain = board.means((tv - wiener)[None])
    low, high = (float(end[0]) for end in gain.interval())
    assert f"{mark}{float(gain.mean[0]):.1f} ({low:.1f} to {high:.1f})".replace("-0.0", "0.0") in text


def test_a_study_is_drawn_as_the_report_has_it(reference: ModuleType) -> None:
    table = reference.drawn({"file": "seed001_fig4", "study": True, "where": "blur == 'line T=1' or T == 0.25"})
    heads = ["Figure 4: exposure, line", "T = 0.25", "T = 1", "best T", "T = 1 against best", "per octave, T ≥ 1/4"]
    assert table.splitlines()[0] == f"| {' | '.join(heads)} |"
    assert "| Figure 4: exposure, shake |" in table


def test_a_number_in_a_sentence_is_replaced_between_its_marks(reference: ModuleType, place: Path) -> None:
    mark = "<!-- reference: {file: demo, solver: tv, metric: ssim, where: \"noise == 'low'\"} -->"
    text = reference.written(f"It has {mark}0\n<!-- /reference --> on all.", place)
    value = np.mean(
        [r["m_ssim"] for r in parquet.read(place / "demo.parquet") if (r["solver"], r["noise"]) == ("tv", "low")]
    )
    assert text == f"It has {mark}{value:.3f}\n<!-- /reference --> on all."


def test_a_paragraph_that_quotes_a_run_must_hold_its_numbers(reference: ModuleType, place: Path) -> None:
    value = reference.drawn({"file": "demo", "solver": "tv"}, place)
    mark = "<!-- reference: {file: demo, quotes: [tv]} -->"
    text = f"{mark}\nTV has {value} dB.\n<!-- /reference -->"
    assert reference.written(text, place) == text
    with pytest.raises(SettingError, match=f"does not say tv {value}"):
        reference.written(f"{mark}\nTV has 1{value} dB.\n<!-- /reference -->", place)


def test_a_table_against_a_row_has_the_interval_of_the_paired_difference(reference: ModuleType, place: Path) -> None:
    table = reference.drawn({"file": "demo", "solvers": ["tv", "wiener"], "against": "tv"}, place)
    board = Board.from_rows(parquet.read(place / "demo.parquet"))
    values = board.values("psnr")
    tv, wiener = (board.solvers.index(s) for s in ("tv", "wiener"))
    low, high = board.means((values[wiener] - values[tv])[None]).interval()
    assert f"({low[0]:.1f} to {high[0]:.1f})".replace("-", "−") in table.replace("+", "")


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("{file: dem}", "Did you mean 'demo'"),
        ("{file: demo, solver: t}", "no solver 't'"),
        ("{file: demo, metric: snr}", "no metric 'snr'"),
        ("{file: demo, cols: noise}", "no 'cols'"),
        ("{file: demo, where: \"noise == 'lo'\"}", "leaves nothing"),
    ],
)
def test_a_mark_that_cannot_be_drawn_is_an_error_that_quotes_it(
    reference: ModuleType, place: Path, mark: str, expected: str
) -> None:
    with pytest.raises(SettingError, match=expected) as error:
        reference.written(f"<!-- reference: {mark} --><!-- /reference -->", place)
    assert mark in str(error.value)


def test_a_run_with_local_changes_is_not_stored(reference: ModuleType, tmp_path: Path) -> None:
    run = fake_run.write(tmp_path / "demo", size=32)
    facts = (run / "run.json").read_text().replace('"dirty": false', '"dirty": true')
    (run / "run.json").write_text(facts)
    with pytest.raises(ResultError, match="local changes"):
        reference.store(run, tmp_path / "reference")


def test_the_conclusion_in_the_readme_is_that_of_the_stored_quickstart() -> None:
    board = Board.from_rows(parquet.read(ROOT / "reports" / "reference" / "quickstart.parquet"))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").replace("\n> ", " ").split())
    for sentence in conclusion(board, pick_baseline(board)):
        assert sentence in readme
