"""Fixtures of the tests that look at a report in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.page import build
from tests import fake_run
from tests.browser import Browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with pictures in colour and posterior samples."""
    return fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=48, channels=3, posterior=True)


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    return build([run], tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser of 1440 pixels."""
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1440)
        yield opened


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    """The report, freshly opened."""
    browser.media()
    browser.open(page.as_uri())
    return browser
