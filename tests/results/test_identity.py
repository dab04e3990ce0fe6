"""Two datasets whose images share their names are two: two cells, two pictures, two clusters, in every command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.check import baseline as baselines
from bench.check import page as check_page
from bench.check.verdict import check
from bench.errors import GridError, ResultError
from bench.grid.read import read_grid
from bench.report.board import Board
from bench.report.load import load
from bench.report.page import build
from bench.report.pictures import chunks
from bench.results.folder import ResultsFolder
from bench.results.identity import MeasurementId
from bench.running.merge import merge
from tests.browser import CHROMIUM, Browser
from tests.conftest import PLUGINS

Run = Callable[..., object]

#: grey level of the only picture of each folder: what tells their pictures apart
LEVELS = {"dark": 0.25, "bright": 0.75}


def write_grid(folder: Path, solver: str, test: str | None = None) -> Path:
    """A grid of two ``folder`` datasets that both hold 0001.png: a constant that no blur changes."""
    for name, level in LEVELS.items():
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 40), round(255 * level), np.uint8)).save(folder / name / "0001.png")
    test = test or "[folder: {path: dark, margin: 4}, folder: {path: bright, margin: 4}]"
    file = folder / f"{solver}.yaml"
    file.write_text(
        f"""
name: two
data: {{test: {test}}}
blur: [{PLUGINS}/walk.py: {{id: walk, T: 1.0}}]
noise: [{PLUGINS}/gauss.py: {{sigma: 1}}]
solvers: [{PLUGINS}/{solver}.py: {{id: it}}]
metrics: [psnr]
protocol: {{border: 2, dtype: float64}}
run: {{timeout: 20, workers: 1, images: 1}}
""",
        encoding="utf-8",
    )
    return file


@pytest.fixture
def two(tmp_path: Path, run_grid: Run) -> Path:
    """A results folder of both datasets."""
    run_grid(write_grid(tmp_path, "copy"), "two")
    return tmp_path / "two"


def levels(folder: Path) -> dict[str, float]:
    """Dataset -> mean of the truth in its picture."""
    return {
        p.measurement.dataset: round(float(np.load(p.file, allow_pickle=False)["truth"].mean()), 2)
        for p in ResultsFolder(folder).read().pictures
    }


EXPECTED = {f"folder path={name}": level for name, level in LEVELS.items()}


def test_a_run_stores_a_picture_of_each_and_names_them_by_what_differs(two: Path) -> None:
    assert levels(two) == pytest.approx(EXPECTED, abs=0.01)
    measured = [MeasurementId.of(r) for r in ResultsFolder(two).read().rows]
    assert [(m.dataset, m.image) for m in measured] == [(name, "0001.png") for name in EXPECTED]


def test_a_report_shows_each_picture_at_its_own_measurement(two: Path) -> None:
    results = load([two])
    board = Board.from_rows(results.rows)
    shown = chunks(results.pictures, board)
    assert [c.cell for c in shown] == [0, 1]
    assert len({c.json for c in shown}) == 2
    assert board.images.tolist() == [f"{name}/0001.png" for name in EXPECTED]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_menu_of_images_tells_them_apart(two: Path, tmp_path: Path) -> None:
    page = build([two], tmp_path / "page", figures=False)
    with Browser(tmp_path / "profile") as browser:
        browser.open(page.as_uri())
        names = browser.run("[...document.querySelectorAll('#pick-image option')].map((o) => o.textContent)")
        assert names == [f"{name}/0001.png" for name in EXPECTED]
        seen = set()
        for value in browser.run("[...document.querySelectorAll('#pick-image option')].map((o) => o.value)"):
            browser.run(
                f"{{ const menu = document.getElementById('pick-image'); menu.value = {json.dumps(value)}; "
                "menu.dispatchEvent(new Event('change')); }"
            )
            browser.settled()
            seen.add(browser.run(CENTRE))
        assert len(seen) == 2
        assert browser.messages == []


#: grey level in the middle of the ground truth that the viewer shows
CENTRE = """(() => {
  const shown = document.querySelector('#viewer [data-label="ground truth"] canvas');
  return shown.getContext("2d").getImageData(shown.width >> 1, shown.height >> 1, 1, 1).data[0];
})()"""


def test_a_check_pairs_shows_and_clusters_them_apart(two: Path, tmp_path: Path, run_grid: Run) -> None:
    baselines.write(tmp_path / "ci.parquet", baselines.of_run(two))
    before = baselines.read(tmp_path / "ci.parquet")
    run_grid(write_grid(tmp_path, "dice"), "worse")
    verdict = check(baselines.of_run(tmp_path / "worse"), before)
    assert verdict.cells == 2
    assert verdict.regressed[0].worst[0] in {f"{name}/0001.png" for name in EXPECTED}
    about = check_page.About(tmp_path / "worse", tmp_path / "ci.parquet", two)
    check_page.write(tmp_path / "check.html", verdict, about)
    assert "missing or cannot be read" not in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_a_merge_keeps_a_picture_of_each(two: Path, tmp_path: Path, run_grid: Run) -> None:
    run_grid(write_grid(tmp_path, "copy"), "again")
    merge([two, tmp_path / "again"], tmp_path / "joined")
    assert levels(tmp_path / "joined") == pytest.approx(EXPECTED, abs=0.01)


def test_two_images_of_the_same_pixels_are_both_reported(tmp_path: Path, run_grid: Run) -> None:
    path = write_grid(tmp_path, "copy")
    (tmp_path / "bright" / "0001.png").write_bytes((tmp_path / "dark" / "0001.png").read_bytes())
    run_grid(path, "same")
    results = load([tmp_path / "same"])
    assert len(results.rows) == len(results.pictures) == 2


def test_an_index_of_an_earlier_version_is_read_where_it_has_one_meaning(two: Path) -> None:
    index = two / "images" / "index.json"
    entries = json.loads(index.read_text(encoding="utf-8"))
    earlier = [{n: e[n] for n in ("setting", "image", "psf_index", "rep", "file")} for e in entries]
    index.write_text(json.dumps(earlier), encoding="utf-8")
    with pytest.raises(
        ResultError, match=r"earlier version.*'0001.png'.*may be of 2 measurements; the same bench run"
    ):
        load([two])


def test_an_index_of_an_earlier_version_with_one_dataset_is_read(tmp_path: Path, run_grid: Run) -> None:
    run_grid(write_grid(tmp_path, "copy", "{folder: {path: dark, margin: 4}}"), "one")
    index = tmp_path / "one" / "images" / "index.json"
    entries = json.loads(index.read_text(encoding="utf-8"))
    for entry in entries:
        del entry["dataset"], entry["split"]
    index.write_text(json.dumps(entries), encoding="utf-8")
    assert levels(tmp_path / "one") == pytest.approx({"folder": 0.25}, abs=0.01)


@pytest.mark.parametrize(
    ("test", "ids"),
    [
        ("{folder: {path: dark}}", ["folder"]),
        ("[folder: {path: dark}]", ["folder"]),
        ("[folder: {path: a/dark/x}, folder: {path: a/bright/x}]", ["folder path=dark-x", "folder path=bright-x"]),
        ("[folder: {path: dark, id: a}, folder: {path: bright}]", ["a", "folder"]),
        ("[folder: {path: dark}, folder: {path: dark, limit: 3}]", ["folder", "folder limit=3"]),
    ],
)
def test_a_dataset_is_called_as_it_says_or_by_what_differs(tmp_path: Path, test: str, ids: list[str]) -> None:
    assert [s.id for s in read_grid(write_grid(tmp_path, "copy", test)).test] == ids


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("[folder: {path: dark}, folder: {path: dark}]", "two datasets called 'folder': give one of them an id"),
        ("[folder: {path: a, id: x}, folder: {path: b, id: x}]", "two datasets called 'x'"),
        ("[folder: {path: dark, id: a/b}]", "id must be a name of printable characters without '/'"),
        ("[folder: {path: dark, id: 3}]", "id must be a name"),
    ],
)
def test_a_name_that_does_not_tell_datasets_apart_is_refused(tmp_path: Path, test: str, message: str) -> None:
    with pytest.raises(GridError, match=message):
        read_grid(write_grid(tmp_path, "copy", test))
