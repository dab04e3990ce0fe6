"""What a run would compute, why, and about how long it would take and cost.

An estimate is the mean solve time of a solver's cells that this folder knows, or of one cell solved as a probe, times
the cells to run. It is called what it is: measuring, scoring, starting workers and failed attempts are not in it, nor
that other settings, images or machines may be slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from bench.grid.cells import Cell
from bench.running.rows import place_of
from bench.running.runner import Runner
from bench.seeds import digest


def forecast(runner: Runner, probe: bool = False) -> list[dict[str, Any]]:
    """One row per solver: cells, known, to run, reasons, seconds per cell and what they were estimated from.

    With ``probe``, one cell of every solver that has no known time is solved here, and forgotten.

    A search is counted with all the candidates that it may try, and its test cells with the settings as they stand:
    which candidates it will ask for, and which one is chosen, is not known yet.
    """
    searches = runner.searches()
    runner.advance(searches)
    over = [s.choice(runner.outcomes) for s in searches if s.is_over]
    tests = runner.second_stage({(c.label, s): c for c in over for s in c.settings})
    cells = {c.key: c for c in [*(c for s in searches for c in s.cells), *tests]}
    left = Counter[str]()
    for s in searches:
        left[s.entry.label] += s.left
    missing = {c.key for c in runner.missing(cells.values())}
    before, times = _earlier(runner)
    if probe:
        times |= _probed(runner, [c for c in cells.values() if c.key in missing and c.label not in times])
    rows = []
    for label in dict.fromkeys(c.label for c in cells.values()):
        own = [c for c in cells.values() if c.label == label]
        todo = [c for c in own if c.key in missing]
        why = Counter(_why(c, before, runner) for c in todo) + Counter({"of a search, at most": left[label]})
        to_run = len(todo) + left[label]
        seconds, source = times.get(label, (None, None))
        rows.append(
            {
                "solver": label,
                "cells": len(own) + left[label],
                "known": len(own) - len(todo),
                "to_run": to_run,
                "seconds_per_cell": seconds,
                "estimated_from": source,
                "seconds": None if seconds is None else seconds * to_run,
                "why": dict(why),
            }
        )
    return rows


def _why(cell: Cell, before: dict[str, str], runner: Runner) -> str:
    if cell.key in runner.outcomes:
        return "failed before"
    old = before.get(digest(place_of(cell)))
    if old is None:
        return "new"
    parts = runner.outcomes[old]["parts"]
    return "changed: " + ", ".join(k for k in {**parts, **cell.parts} if parts.get(k) != cell.parts.get(k))


def _earlier(runner: Runner) -> tuple[dict[str, str], dict[str, tuple[float, str]]]:
    """Which cell stood at a place, and by solver the mean seconds per solved cell, also of changed ones."""
    before: dict[str, str] = {}
    known: dict[str, tuple[float, int]] = {}
    for key, outcome in runner.outcomes.items():
        if not outcome.get("place"):
            continue
        before[digest(outcome["place"])] = key
        if outcome.get("seconds"):
            label = outcome["place"][0]
            total, n = known.get(label, (0.0, 0))
            known[label] = (total + outcome["seconds"], n + 1)
    return before, {k: (total / n, f"{n} earlier cell{'s' * (n > 1)}") for k, (total, n) in known.items()}


def _probed(runner: Runner, cells: Iterable[Cell]) -> dict[str, tuple[float, str]]:
    first = {c.label: c for c in reversed(list(cells))}
    outcomes = runner.probe(list(first.values()))
    return {
        label: (o["seconds"], "a probe of 1 cell")
        for label, o in zip(first, outcomes, strict=True)
        if o.get("seconds") is not None
    }
