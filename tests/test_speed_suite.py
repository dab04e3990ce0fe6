"""The speed suite's page: what it says follows from what was saved."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks are part of a checkout alone")


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_an_exact_power_law_gives_its_exponent_without_error(suite: Any) -> None:
    points = [{"axis": "pixels", "what": "tv", "how many": x, "s": 3e-6 * x**1.25} for x in (10, 30, 100, 300)]
    fit = suite("growth").fits(points)["pixels", "tv"]
    assert fit["exponent"] == pytest.approx(1.25)
    assert fit["±"] == pytest.approx(0, abs=1e-9)


def test_the_error_of_an_exponent_is_that_of_least_squares(suite: Any) -> None:
    stats = pytest.importorskip("scipy.stats")
    seconds = (1.0, 2.3, 3.9, 8.5, 15.0)
    points = [{"axis": "a", "what": "b", "how many": 2**i, "s": s} for i, s in enumerate(seconds)]
    fit, logs = suite("growth").fits(points)["a", "b"], suite("numpy").log
    line = stats.linregress(logs([p["how many"] for p in points]), logs(seconds))
    assert (fit["exponent"], fit["±"]) == pytest.approx((line.slope, line.stderr))


def test_a_bar_is_reached_missed_or_not_measured(suite: Any) -> None:
    bar = suite("bars").bar
    assert bar("a", "t", 0.35, at_most=0.35)["verdict"] == "reached"
    assert bar("a", "t", 0.351, at_most=0.35)["verdict"] == "MISSED"
    assert bar("a", "t", 9.99, 10)["verdict"] == "MISSED"
    assert bar("a", "t", None, 10)["verdict"] == "not measured"


def test_a_bar_against_libraries_takes_the_worst_case(suite: Any) -> None:
    row = {"ours": "wiener", "px": 128, "batch": 1, "its dB": 25.0, "our dB": 25.1}
    rows = [{**row, "counterpart": "slow", "times faster": 4.0}, {**row, "counterpart": "fast", "times faster": 0.8}]
    rows.append({"ours": "wiener", "px": 128, "batch": 1, "counterpart": "not run", "note": "not run: too slow"})
    (worst, *_) = suite("bars").bars({"classical": rows})
    assert worst["verdict"] == "MISSED"
    assert "0.8 (fast" in worst["measured"]


def test_a_table_leaves_out_columns_without_values_and_escapes_its_cells(suite: Any) -> None:
    shown = suite("tables").markdown([{"A": "x|y", "B": None, "C (dB)": 25.0}, {"A": None, "D": 7.125}])
    assert shown.splitlines() == [
        "| A | C (dB) | D |", "| --- | ---: | ---: |", "| x\\|y | 25.00 |  |", "|  |  | 7.12 |",
    ]  # fmt: skip


def test_the_page_shows_what_was_saved_and_says_what_was_not_run(suite: Any, tmp_path: Path) -> None:
    row = {"what": "bench --help", "CPU s": 0.5, "wall s": 0.6, "memory at most (MB)": None, "bar (CPU s)": 0.35}
    saved = [{"about": {}}, {"row": row, "seconds": 9.0}, {"error": "stopped after 9 s"}]
    (tmp_path / "start.jsonl").write_text("\n".join(map(json.dumps, saved)))
    suite("page").write(tmp_path, tmp_path / "speed.md")
    page = (tmp_path / "speed.md").read_text()
    assert "| bench --help | bar | ≤ 0.35 CPU s | 0.5 | MISSED | start |" in page
    assert "| bench --help | 0.5 | 0.6 | 0.35 |" in page
    assert "**Not complete:** stopped after 9 s." in page
    assert page.count("**Not complete:** not run.") == len(suite("tables").TABLES) - 1


def test_the_tiny_arguments_of_a_table_are_arguments_of_its_benchmark(suite: Any) -> None:
    tables = suite("tables").TABLES
    assert {n: set(t.quick) - set(t.options) for n, t in tables.items() if set(t.quick) - set(t.options)} == {}
    assert all(inspect.getdoc(t.module) for t in tables.values())
