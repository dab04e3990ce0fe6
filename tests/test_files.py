"""Texts of other people in files that other programs open."""

from __future__ import annotations

import pytest

from bench.files import cell_text, markdown_text


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_takes_for_a_formula_is_kept_a_text(text: str) -> None:
    assert cell_text(text) == "'" + text


@pytest.mark.parametrize("value", ["tv", "a=b", "-1.5", "+3e-4", "", -1.5, 3, None, True])
def test_other_texts_and_numbers_are_left_alone(value: object) -> None:
    assert cell_text(value) is value


def test_markdown_shows_a_text_as_it_is() -> None:
    assert markdown_text("a | [b](http://c) <img src=x>\n# d") == "a \\| \\[b\\](http://c) \\<img src=x\\> \\# d"
    assert markdown_text("tv_fista λ=0.1 · shake T=1") == "tv_fista λ=0.1 · shake T=1"
