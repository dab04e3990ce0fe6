"""The table at the end of ``bench run``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from bench.report.board import Board, describe
from bench.report.load import Row
from bench.report.tables import leaderboard
from bench.report.text import count, number, seconds

ARROW = {"higher": " ↑", "lower": " ↓", "one": ""}

#: More metrics than this do not fit a terminal; the report and the parquet file hold all.
COLUMNS = 4


def summary(rows: Iterable[Row], metrics: Sequence[str] | None = None) -> Table:
    """Solvers, best first: value ± 95 % interval (clustered by image) per metric, cost, failures.

    Args:
        rows: results (dictionaries with the columns of ``results.parquet``); those of phase "test" count.
        metrics: names; by default those that have a value, the most telling ones if they are many.
    """
    rows = list(rows)
    board = Board.from_rows(rows, metrics)
    if metrics is None and len(board.metrics) > COLUMNS:
        board = Board.from_rows(rows, telling(board.metrics))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver", no_wrap=True)
    for name in board.metrics:
        metric = describe(name)
        table.add_column(metric.label + ARROW[metric.better], justify="right", no_wrap=True)
    for title in ("time", "A+Aᵀ", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in leaderboard(board, baseline=None):
        table.add_row(*_cells(entry, board.metrics), style=None)
    return table


def telling(metrics: Sequence[str]) -> list[str]:
    """The few that a terminal has room for: the first, the same of the samples' mean, CRPS, then as listed."""
    first = metrics[0]
    wanted = [n for n in (first, f"{first}_mean", "crps") if n in metrics]
    return [*wanted, *(n for n in metrics if n not in wanted and not n.startswith("coverage"))][:COLUMNS]


def _cells(entry: dict[str, Any], metrics: Sequence[str]) -> list[str]:
    from rich.markup import escape

    scores = [_score(entry["scores"][m], describe(m).digits, describe(m).better != "one") for m in metrics]
    failed = f"[red]{entry['failed']} of {entry['cells']}[/red]" if entry["failed"] else "0"
    return [escape(entry["solver"]), *scores, seconds(entry["seconds"]), count(entry["calls"]), failed]


def _score(score: dict[str, Any], digits: int, ranked: bool) -> str:
    """Value and interval; a check whose target is 1 is only looked at, its interval stays in the report."""
    half = f" ± {number(score['half'], digits)}" if ranked else ""
    return number(score["mean"], digits) + half
