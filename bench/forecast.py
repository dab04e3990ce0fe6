"""What a run would compute, why, and about how long it would take."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.cells import Cell
from bench.run import Runner
from bench.seeds import canonical


def forecast(runner: Runner) -> list[dict[str, Any]]:
    """One row per solver: cells, known, to run, reasons, seconds per cell as last measured.

    Test cells of a search that is not finished are counted with the settings as they stand: which candidate they
    will use is not known yet.
    """
    from bench.tune import choose, groups_of

    searches = runner.first_stage()
    choices = {}
    for entry in runner.grid.solvers:
        for group in groups_of(runner.planner, entry):
            if not runner.missing(c for _, cells in group.trials for c in cells):
                choice = choose(group, runner.outcomes, runner.grid.tune.metric)
                choices.update({(choice.label, s): choice for s in choice.settings})
    cells = {c.key: c for c in [*searches, *runner.second_stage(choices)]}
    missing = {c.key for c in runner.missing(cells.values())}
    before = {canonical(o["place"]): o for o in runner.outcomes.values() if o.get("place")}
    rows = []
    for label in dict.fromkeys(c.label for c in cells.values()):
        own = [c for c in cells.values() if c.label == label]
        todo = [c for c in own if c.key in missing]
        why = Counter(_why(c, before, runner) for c in todo)
        seconds = _seconds(label, runner)
        rows.append(
            {
                "solver": label,
                "cells": len(own),
                "known": len(own) - len(todo),
                "to_run": len(todo),
                "seconds_per_cell": seconds,
                "seconds": None if seconds is None else seconds * len(todo),
                "why": dict(why),
            }
        )
    return rows


def _why(cell: Cell, before: dict[str, dict[str, Any]], runner: Runner) -> str:
    if cell.key in runner.outcomes:
        return "failed before"
    old = before.get(canonical(cell.place))
    if old is None:
        return "new"
    return "changed: " + ", ".join(k for k, v in cell.parts.items() if old["parts"].get(k) != v)


def _seconds(label: str, runner: Runner) -> float | None:
    known = [
        o["seconds"] for o in runner.outcomes.values() if o.get("place", [None])[0] == label and o.get("seconds")
    ]
    return sum(known) / len(known) if known else None


def table(rows: list[dict[str, Any]]) -> str:
    """The forecast as text."""
    width = max([len("solver"), *(len(r["solver"]) for r in rows)])
    lines = [f"{'solver':<{width}}  {'cells':>7}  {'known':>7}  {'to run':>7}  {'s/cell':>8}  {'total':>8}  why"]
    for r in rows:
        per = "?" if r["seconds_per_cell"] is None else f"{r['seconds_per_cell']:.3g}"
        total = "?" if r["seconds"] is None else _duration(r["seconds"])
        why = "; ".join(f"{n} {reason}" for reason, n in r["why"].items())
        lines.append(
            f"{r['solver']:<{width}}  {r['cells']:>7}  {r['known']:>7}  {r['to_run']:>7}  {per:>8}  {total:>8}  {why}"
        )
    to_run = sum(r["to_run"] for r in rows)
    lines.append(f"{sum(r['cells'] for r in rows)} cells, {to_run} to run; nothing was run")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 60 else f"{minutes / 60:.1f} h"
