"""The gallery of photographs without sharp versions, in a real browser."""

import zipfile
from pathlib import Path

import pytest

from bench.report.page import build
from tests import fake_run
from tests.browser import Browser
from tests.report.looks import MARKS

pytestmark = MARKS

SOLVERS = {name: fake_run.SOLVERS[name] for name in ("blurred", "wiener", "tv")}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run on two photographs of which nobody has the sharp version, nor the PSF."""
    run = tmp_path_factory.mktemp("runs") / "own"
    empty = {f"{kind}_{m}": None for kind in ("m", "in") for m in fake_run.METRICS}
    fake_run.write(run, name="own", size=48, channels=3, solvers=SOLVERS, fail=False, images=2, change=empty)
    for file in (run / "images").glob("*.npz"):
        with zipfile.ZipFile(file) as stored:
            parts = {n: stored.read(n) for n in stored.namelist() if n not in ("truth.npy", "psf.npy")}
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    return build([run], tmp_path_factory.mktemp("report"), figures=False)


@pytest.fixture
def opened(browser: Browser, gallery: Path) -> Browser:
    browser.media()
    browser.open(gallery.as_uri())
    browser.wait("document.querySelectorAll('.gallery-row:first-child img').length === 3")
    return browser


def test_each_photograph_stands_beside_what_every_solver_made_of_it(opened: Browser) -> None:
    captions = "[...document.querySelectorAll('.gallery-row:first-child figcaption')].map((c) => c.textContent)"
    assert opened.run(captions) == ["measurement", "wiener", "tv"]
    assert opened.run("document.querySelectorAll('.gallery-row').length") == 2 * len(fake_run.SETTINGS)
    assert opened.messages == []


def test_a_picture_of_the_gallery_opens_over_the_measurement_and_flickers(opened: Browser) -> None:
    opened.run("document.querySelector('.gallery-row:nth-child(2) figure:nth-child(3) button').click()")
    opened.settled()
    assert opened.run("[bench.state.a, bench.state.b]") == ["tv", "measurement"]
    assert opened.run("document.getElementById('pick-image').value").endswith("barbara_like")
    opened.run("document.getElementById('flicker').click()")
    assert opened.run("document.getElementById('flicker').getAttribute('aria-pressed')") == "true"
    assert opened.run("document.querySelector('#modes [value=error]').disabled") is True
    assert opened.messages == []


def test_nothing_is_ranked_and_the_times_are_there(opened: Browser) -> None:
    assert opened.run("document.getElementById('pairs').hidden && document.getElementById('by-setting').hidden")
    heads = opened.run("[...document.querySelectorAll('#board thead th')].map((t) => t.textContent)")
    assert "Time" in heads
    assert not any(head.startswith(("Δ", "Ranks", "Best")) for head in heads)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_gallery_fits_its_window(opened: Browser, width: int) -> None:
    opened.size(width)
    try:
        assert opened.run("document.documentElement.scrollWidth") <= width
        assert opened.run("Math.max(...[...document.images].map((i) => i.getBoundingClientRect().right))") <= width
    finally:
        opened.size(1440)
