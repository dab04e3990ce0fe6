"""What a run shows, in sentences: the head of the page and the end of the terminal's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.report.board import Board, describe
from bench.report.text import count, interval, signed
from bench.statistics.leaderboard import Standing

#: names that a sentence lists before it only counts
LISTED = 4


def conclusion(board: Board, entries: Sequence[dict[str, Any]], baseline: str | None) -> list[str]:
    """Sentences on the first metric that ranks, each a statement that a test of the table carries; [] without one.

    Args:
        board: the results.
        entries: of ``bench.report.tables.leaderboard`` with that baseline, best first.
        baseline: the row that differences are taken to.
    """
    name = next((m for m in board.metrics if describe(m).better != "one"), None)
    if name is None:
        return []
    scores = {e["solver"]: e["scores"][name] for e in entries}
    ranked = {solver: s for solver, s in scores.items() if s.mean == s.mean}
    if len(ranked) < 2:
        return []
    return [_best(ranked, name), *_against(ranked, name, baseline)]


def _best(scores: dict[str, Standing], name: str) -> str:
    """Which rows may be the best, and what it would take to know."""
    label, maybe = describe(name).label, [s for s, score in scores.items() if score.maybe_best]
    leader, groups = next(iter(scores)), next(iter(scores.values())).groups
    over = f"on {_photographs(groups)}"
    if not maybe:
        return f"{leader} has the best {label}, but {over} nothing can be told apart."
    if len(maybe) == 1:
        return f"{maybe[0]} is best in {label} {over}."
    needed = [scores[s].needed for s in maybe if s != leader]
    more = f"; about {count(needed[0])} photographs would tell the leading two apart" if needed and needed[0] else ""
    return f"In {label}, {over}, {_names(maybe)} cannot be told from the best{more}."


def _against(scores: dict[str, Standing], name: str, baseline: str | None) -> list[str]:
    """The leading difference to the baseline, and how many rows differ from it."""
    metric, deltas = describe(name), {s: score.delta for s, score in scores.items() if score.delta}
    better = [s for s, d in deltas.items() if d.better]
    worse = [s for s, d in deltas.items() if d.better is False]
    open_ = [s for s, d in deltas.items() if d.better is None]
    if not deltas or all(d.p != d.p for d in deltas.values()):
        return []
    out = []
    if better:
        d = deltas[better[0]]
        unit = f" {metric.unit}" if metric.unit else ""
        amount = f"{signed(d.mean, metric.digits)}{unit} {interval(d.low, d.high, metric.digits)}".strip()
        out.append(f"{better[0]} differs from {baseline} by {amount}.")
    parts = [("better", better), ("worse", worse), ("not separable from it", open_)]
    said = [f"{word}: {_names(names)}" for word, names in parts if names]
    return [*out, f"Beside {baseline}, at 5 % after Holm: {'; '.join(said)}."]


def _photographs(n: int) -> str:
    return f"{n} photograph{'s' * (n != 1)}"


def _names(names: Sequence[str]) -> str:
    if len(names) > LISTED:
        return f"{', '.join(names[: LISTED - 1])} and {len(names) - LISTED + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
