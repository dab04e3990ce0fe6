"""The table at the end of ``bench run``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.report.board import SAMPLE, Board, describe
from bench.report.conclusion import conclusion
from bench.report.tables import leaderboard, pick_baseline
from bench.report.text import count, interval, number, seconds, signed
from bench.results.folder import Row
from bench.statistics.leaderboard import Standing

ARROW = {"higher": " ↑", "lower": " ↓", "one": ""}
#: marks of a row's difference to the baseline; what cannot be separated has none
VERDICT = {True: " ●", False: " ▼", None: ""}

#: More metrics than this do not fit a terminal; the report and the parquet file hold all.
COLUMNS = 4


def summary(rows: Iterable[Row], metrics: Sequence[str] | None = None) -> RenderableType:
    """Solvers, best first: value per metric, paired difference to the baseline, cost, failures; then the conclusion.

    Args:
        rows: results (dictionaries with the columns of ``results.parquet``); those of phase "test" count.
        metrics: names; by default those that have a value, the most telling ones if they are many.
    """
    rows = list(rows)
    board = Board.from_rows(rows, metrics)
    if metrics is None and len(board.metrics) > COLUMNS:
        board = Board.from_rows(rows, telling(board.metrics))
    baseline = pick_baseline(board)
    entries = leaderboard(board, baseline)
    sentences = [Text(sentence) for sentence in conclusion(board, baseline)]
    return Group(_table(board, entries, baseline), *([Text("")] if sentences else []), *sentences)


def preliminary(rows: Iterable[Row], total: int, *, line: bool = False) -> RenderableType:
    """What a run has so far, marked so: values alone, without differences or sentences, which wait for the whole.

    Args:
        rows: test rows of the solvers that are done.
        total: rows that the run will have.
        line: text on one line, for a log.
    """
    rows = list(rows)
    board = Board.from_rows(rows)
    board = Board.from_rows(rows, telling(board.metrics)) if board.metrics else board
    entries = leaderboard(board, None)
    head = f"preliminary, {len(rows)} of {total} cells"
    if not line:
        return Group(
            Text(f"{head}: {len(board.solvers)} solvers", style="italic"), _table(board, entries, None), Text("")
        )
    if not board.metrics:
        return head
    first = describe(board.metrics[0])
    each = [f"{e['solver']} {number(e['scores'][first.name].mean, first.digits)}" for e in entries]
    return f"{head}: {first.label} {', '.join(each)}"


def _table(board: Board, entries: Sequence[dict[str, Any]], baseline: str | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver", no_wrap=True)
    paired = board.metrics[0] if baseline and board.metrics and describe(board.metrics[0]).better != "one" else None
    for name in board.metrics:
        metric = describe(name)
        table.add_column(metric.label + ARROW[metric.better], justify="right", no_wrap=True)
        if name == paired:
            table.add_column(Text(f"Δ to {baseline} ({board.called})"), justify="right", no_wrap=True)
    for title in ("time", "A+Aᵀ", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(*_cells(entry, board.metrics, paired))
    return table


def telling(metrics: Sequence[str]) -> list[str]:
    """The few that a terminal has room for: the first, what one sample is worth in it, what ranks the law of several
    (CRPS), then as listed.
    """
    first, of_law = metrics[0], [n for n in metrics if describe(n).of == "samples"]
    wanted = [n for n in (first, f"{first}{SAMPLE}", *(n for n in of_law if describe(n).ranks)) if n in metrics]
    rest = [n for n in metrics if n not in wanted and n not in of_law and not n.endswith(SAMPLE)]
    return [*wanted, *rest][:COLUMNS]


def _cells(entry: dict[str, Any], metrics: Sequence[str], paired: str | None) -> list[RenderableType]:
    cells: list[RenderableType] = [Text(entry["solver"])]
    for name in metrics:
        score: Standing = entry["scores"][name]
        cells.append(number(score.mean, describe(name).digits))
        if name == paired:
            cells.append(_difference(score, describe(name).digits))
    failed = Text(f"{entry['failed']} of {entry['cells']}", style="red") if entry["failed"] else "0"
    return [*cells, seconds(entry["seconds"]), count(entry["calls"]), failed]


def _difference(score: Standing, digits: int) -> str:
    delta = score.delta
    if delta is None:
        return ""
    return f"{signed(delta.mean, digits)}{interval(delta.low, delta.high, digits, ' ')}{VERDICT[delta.better]}"
