"""What a run says of itself while it goes on."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.running import progress
from bench.running.progress import Bar, Plain

CELL: Any = SimpleNamespace(label="tv")


def test_a_log_says_how_long_it_takes_once_a_quarter_is_done_and_not_when_all_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = Plain(every=0.0)
    log.stage("solving", 12, 4)
    for _ in range(8):
        log.cell(CELL, {"status": "ok"})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "solving: 12 cells, 4 of them from before"
    assert [bool(re.search(r"about \d+ s left", line)) for line in lines[1:]] == [False, *[True] * 6, False]


def test_a_terminal_shows_no_time_left_before_a_quarter_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    bar = Bar()
    bar.stage("solving", 40, 0)
    for _ in range(5):
        bar.cell(CELL, {"status": "error"})
    bar.stop()
    assert "5/40" in shown.getvalue()
    assert "5 failed" in shown.getvalue()
    assert not re.search(r"\d:\d\d|-:--", shown.getvalue())


def test_a_run_without_a_terminal_writes_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with progress.progress_bar() as chosen:
        assert isinstance(chosen, Plain)
