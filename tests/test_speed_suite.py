"""The speed suite's page: what it says follows from what was saved."""

from __future__ import annotations

import importlib
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
    points = [{"axis": "pixels", "what": "tv", "x": x, "seconds": 3e-6 * x**1.25} for x in (10, 30, 100, 300)]
    found = suite("growth").fit(points)
    assert found.exponent == pytest.approx(1.25)
    assert found.error == pytest.approx(0, abs=1e-9)


def test_the_error_of_an_exponent_is_that_of_least_squares(suite: Any) -> None:
    stats = pytest.importorskip("scipy.stats")
    seconds = (1.0, 2.3, 3.9, 8.5, 15.0)
    points = [{"axis": "a", "what": "b", "x": 2**i, "seconds": s} for i, s in enumerate(seconds)]
    found, logs = suite("growth").fit(points), suite("numpy").log
    line = stats.linregress(logs([p["x"] for p in points]), logs(seconds))
    assert (found.exponent, found.error) == pytest.approx((line.slope, line.stderr))


def test_a_bar_is_reached_missed_or_not_measured(suite: Any) -> None:
    judged = suite("bars").judged
    assert judged("a", "t", 0.35, 0.35, "s", most=True).verdict == "reached"
    assert judged("a", "t", 0.351, 0.35, "s", most=True).verdict == "MISSED"
    assert judged("a", "t", 9.99, 10, "", most=False).verdict == "MISSED"
    assert judged("a", "t", None, 10, "", most=False).verdict == "not measured"


def test_a_bar_against_libraries_takes_the_worst_case(suite: Any) -> None:
    row = {"ours": "wiener", "size": 128, "batch": 1, "their_db": 25.0, "our_db": 25.1}
    rows = [{**row, "counterpart": "slow", "ratio": 4.0}, {**row, "counterpart": "fast", "ratio": 0.8}]
    rows.append({**row, "counterpart": "not run", "ratio": None, "their_db": None, "our_db": None})
    (found, *_) = suite("bars").bars({"classical": rows})
    assert found.verdict == "MISSED"
    assert "0.8 (fast" in found.figure


def test_a_table_leaves_out_columns_without_values_and_escapes_its_cells(suite: Any) -> None:
    shown = suite("tables").markdown({"a": "A", "b": "B", "c_db": "C"}, [{"a": "x|y", "b": None, "c_db": 25.0}])
    assert shown.splitlines() == ["| A | C |", "| --- | ---: |", "| x\\|y | 25.00 |"]


def test_the_page_shows_what_was_saved_and_says_what_was_not_run(suite: Any, tmp_path: Path) -> None:
    row = {"what": "bench --help", "cpu_s": 0.5, "wall_s": 0.6, "memory_mb": None, "bar": 0.35}
    saved = {"section": "start", "quick": False, "environment": {}, "error": "stopped after 9 s", "seconds": 9.0}
    tables = {"start": {"rows": [row], "error": "", "seconds": 9.0}}
    (tmp_path / "start.json").write_text(json.dumps({**saved, "tables": tables}))
    suite("speed_page").write(tmp_path, tmp_path / "speed.md")
    page = (tmp_path / "speed.md").read_text()
    assert "| bench --help | bar | ≤ 0.35 CPU s | 0.5 | MISSED | start |" in page
    assert "missed: bench --help" in page
    assert "**Not complete:** stopped after 9 s." in page
    assert page.count("Not run.") == len(suite("suite").SECTIONS) - 1


def test_every_table_of_the_suite_has_a_reading_and_takes_its_options(suite: Any) -> None:
    readings = suite("readings").READINGS
    for section in suite("suite").SECTIONS:
        for table in section.tables:
            assert table.name in readings
            parser = suite(table.module).arguments()
            given = ["--benchopt", "b"] if table.module == "against_benchopt" else []
            for options in (table.full, table.quick):
                parser.parse_args([*given, *options])
