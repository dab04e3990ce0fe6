"""What the tests ask of a page in the browser."""

import json

import pytest

from tests.browser import CHROMIUM, Browser

#: of every module that opens a browser
MARKS = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


def first_column(browser: Browser) -> list[str]:
    """The solvers in the order of the leaderboard."""
    return browser.run("[...document.querySelectorAll('#board tbody .solver')].map(e => e.textContent)")


def canvas(label: str) -> str:
    """The expression for the canvas of a panel."""
    return f"document.querySelector('#viewer [data-label={json.dumps(label)}] canvas')"
