"""What a run would compute, why, and about how long it would take and cost.

An estimate is the mean solve time of a solver's cells that this folder knows, or of one cell solved as a probe, times
the cells to run. It is called what it is: measuring, scoring, starting workers and failed attempts are not in it, nor
that other settings, images or machines may be slower.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import BenchError
from bench.grid.cells import Cell
from bench.plugins.weights import find_weights
from bench.running.rows import place_of
from bench.running.runner import Runner
from bench.seeds import digest


@dataclass(frozen=True)
class Estimate:
    """What a cell of a solver is expected to take, and from what; None where nothing is known.

    Attributes:
        memory_source: of the memory, where it is not that of the rest.
    """

    seconds: float | None = None
    source: str | None = None
    parameters: int | None = None
    macs: float | None = None
    memory: float | None = None
    memory_source: str | None = None


def forecast(runner: Runner, probe: bool = False) -> list[dict[str, Any]]:
    """One row per solver: cells, known, to run, reasons, seconds per cell and what they were estimated from.

    With it ``parameters`` and ``macs`` of its networks as columns of results have them, and ``memory_mb``: the most
    that a batch took, in proportion where batches are larger now, or else what one evaluation of a built-in prior
    says (``bench.running.footprint``). The card of weights has their parameters.

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
    weights = {c.label: _parameters(c) for c in cells.values()}
    rows = []
    for label in dict.fromkeys(c.label for c in cells.values()):
        own = [c for c in cells.values() if c.label == label]
        todo = [c for c in own if c.key in missing]
        why = Counter(_why(c, before, runner) for c in todo) + Counter({"of a search, at most": left[label]})
        to_run = len(todo) + left[label]
        estimate = times.get(label, Estimate(parameters=weights[label]))
        if estimate.memory is None and todo and todo[0].prior is not None:
            estimate = replace(estimate, memory=_memory(todo[0], runner), memory_source="one evaluation of the prior")
        rows.append(
            {
                "solver": label,
                "cells": len(own) + left[label],
                "known": len(own) - len(todo),
                "to_run": to_run,
                "seconds_per_cell": estimate.seconds,
                "estimated_from": estimate.source,
                "seconds": None if estimate.seconds is None else estimate.seconds * to_run,
                "parameters": estimate.parameters,
                "macs": estimate.macs,
                "memory_mb": estimate.memory,
                "memory_from": None if estimate.memory is None else estimate.memory_source or estimate.source,
                "why": dict(why),
            }
        )
    return rows


def _memory(cell: Cell, runner: Runner) -> float | None:
    # This imports torch, which a plan without samplers does not need.
    from bench.running.footprint import footprint

    return footprint(cell, runner.batch_size, runner.device)


def _why(cell: Cell, before: dict[str, str], runner: Runner) -> str:
    if cell.key in runner.outcomes:
        return "failed before"
    old = before.get(digest(place_of(cell)))
    if old is None:
        return "new"
    parts = runner.outcomes[old]["parts"]
    return "changed: " + ", ".join(k for k in {**parts, **cell.parts} if parts.get(k) != cell.parts.get(k))


def _earlier(runner: Runner) -> tuple[dict[str, str], dict[str, Estimate]]:
    """Which cell stood at a place, and by solver what its solved cells took, also changed ones."""
    before: dict[str, str] = {}
    known: dict[str, list[dict[str, Any]]] = {}
    for key, outcome in runner.outcomes.items():
        if not outcome.get("place"):
            continue
        before[digest(outcome["place"])] = key
        if outcome.get("seconds"):
            known.setdefault(outcome["place"][0], []).append(outcome)
    size = runner.batch_size
    return before, {k: _estimate(v, f"{len(v)} earlier cell{'s' * (len(v) > 1)}", size) for k, v in known.items()}


def _probed(runner: Runner, cells: Iterable[Cell]) -> dict[str, Estimate]:
    first = {c.label: c for c in reversed(list(cells))}
    outcomes = zip(first, runner.probe(list(first.values())), strict=True)
    size = runner.batch_size
    return {label: _estimate([o], "a probe of 1 cell", size) for label, o in outcomes if o.get("seconds") is not None}


def _estimate(outcomes: Sequence[Mapping[str, Any]], source: str, batch: int) -> Estimate:
    """Means over solved cells; the largest memory, in proportion to the batch where it grows."""
    peaks = [o["peak_rss_mb"] * max(1, batch / (o.get("batch") or 1)) for o in outcomes if o.get("peak_rss_mb")]
    seconds, parameters, macs = (_mean(outcomes, n) for n in ("seconds", "parameters", "macs"))
    whole = None if parameters is None else round(parameters)
    return Estimate(seconds, source, whole, macs, max(peaks, default=None))


def _mean(outcomes: Iterable[Mapping[str, Any]], name: str) -> float | None:
    values = [o[name] for o in outcomes if o.get(name) is not None]
    return sum(values) / len(values) if values else None


def _parameters(cell: Cell) -> int | None:
    """Parameters of the weights that a cell's solver or prior names, by their card."""
    for ref in (cell.solver, cell.prior):
        weights = None if ref is None else ref.settings.get("weights")
        if not isinstance(weights, str) or not weights:
            continue
        with suppress(BenchError, OSError, ValueError, AttributeError):  # weights of somebody else's, or no card
            card = json.loads(find_weights(weights).with_suffix(".json").read_text(encoding="utf-8"))
            return card.get("parameters")
    return None
