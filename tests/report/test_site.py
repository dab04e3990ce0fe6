"""Several runs: an index to publish, and a metric over time."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bench.errors import ResultError
from bench.report.history import build_history, read_history, table
from bench.report.load import load
from bench.report.site import build_site
from bench.results import parquet as results
from tests import fake_run


def shifted(folder: Path, like: Path, solver: str, by: float, started: str) -> Path:
    """A later run on the same measurements, in which one solver got better or worse."""
    rows = results.read(like / "results.parquet")
    changed = [
        {**r, "m_psnr": r["m_psnr"] + by if r["solver"] == solver and r["m_psnr"] else r["m_psnr"]} for r in rows
    ]
    folder.mkdir()
    results.write(folder / "results.parquet", changed, fake_run.METRICS)
    text = (like / "run.json").read_text(encoding="utf-8")
    (folder / "run.json").write_text(text.replace("2026-01-01T12:00", started), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    first = fake_run.write(folder / "monday", size=24, images=4, fail=False)
    return [first, shifted(folder / "tuesday", first, "tv", 0.5, "2026-01-02T12:00")]


def test_a_site_has_a_page_for_each_run_and_an_index_with_its_conclusion(runs: list[Path], tmp_path: Path) -> None:
    index = build_site([*runs, runs[0]], tmp_path / "site", figures=False).read_text(encoding="utf-8")
    for name in ("monday", "tuesday", "monday-2"):
        assert f'href="{name}/index.html"' in index
        assert (tmp_path / "site" / name / "index.html").is_file()
    assert index.index("tuesday") < index.index("monday")  # the newest first
    assert "Against the baseline wiener" in index
    assert (tmp_path / "site" / ".nojekyll").is_file()


def test_a_history_shows_what_changed_since_the_run_before_and_what_did_not(runs: list[Path]) -> None:
    history = read_history(runs[::-1])
    assert [r["started"] for r in history.runs] == ["2026-01-01 12:00", "2026-01-02 12:00"]
    lines = {line.label: line.values for line in table(history, "psnr").lines}
    assert lines["wiener"][1].interval == "(=)"
    assert lines["tv"][1].interval == "(+0.50; +0.50 to +0.50)"
    assert float(lines["tv"][1].text) - float(lines["tv"][0].text) == pytest.approx(0.5, abs=0.011)


def test_a_history_has_a_figure_for_each_metric_with_its_numbers(runs: list[Path], tmp_path: Path) -> None:
    page = build_history(runs, tmp_path / "history").read_text(encoding="utf-8")
    assert page.count("<svg") == 3  # PSNR, SSIM, LPIPS; χ² ranks nothing
    with (tmp_path / "history" / "figures" / "history_psnr.csv").open(encoding="utf-8") as file:
        rows = {r["solver"]: list(r.values())[1:] for r in csv.DictReader(file)}
    assert np.diff(np.array(rows["tv"], float)) == pytest.approx([0.5])


def test_measurements_that_a_run_made_otherwise_are_left_out(runs: list[Path], tmp_path: Path) -> None:
    other = fake_run.write(tmp_path / "other", size=24, images=4, fail=False, seed=1)
    with pytest.raises(ResultError, match="no measurement in common"):
        read_history([runs[0], other])
    fewer = fake_run.write(tmp_path / "fewer", size=24, images=3, fail=False)
    assert read_history([runs[0], fewer]).dropped == 4
    assert len(load([fewer]).rows)


def test_a_history_of_one_run_is_refused(runs: list[Path]) -> None:
    with pytest.raises(ResultError, match="two runs or more"):
        read_history(runs[:1])
