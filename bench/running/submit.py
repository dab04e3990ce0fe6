"""Cells to an engine, and their outcomes back as they come."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from bench.errors import ResultError
from bench.grid.cells import Cell
from bench.results.outcomes import Outcome
from bench.running.local import AHEAD, Engine, failure
from bench.seeds import digest


def submitted(engine: Engine, cells: Sequence[Cell], size: int, run: Any) -> Iterable[tuple[Cell, Outcome]]:
    """Submit batches, some ahead of the workers, and yield outcomes as they come. Crashed cells try again alone."""
    waiting = deque((batch, 1) for batch in batches(_by_solver(cells), size))
    done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    running: dict[Future[Any], tuple[list[Cell], int]] = {}
    while waiting or running:
        while waiting and len(running) < max(AHEAD, 2 * engine.workers + 2):
            batch, attempt = waiting.popleft()
            future = engine.solve(batch, run.timeout * len(batch))
            running[future] = (batch, attempt)
            future.add_done_callback(done.put)
        future = done.get()
        batch, attempt = running.pop(future)
        error = future.exception()
        if isinstance(error, ResultError):  # of the place where cells are solved, not of a cell
            raise error
        if error is not None and len(batch) > 1:
            waiting.extendleft(([cell], attempt) for cell in reversed(batch))
            continue
        outcomes = [failure(error, run.timeout)] if error else future.result()
        for cell, outcome in zip(batch, outcomes, strict=True):
            if outcome["status"] == "crashed" and attempt <= run.retries:
                waiting.appendleft(([cell], attempt + 1))
            else:
                yield cell, {**outcome, "attempt": attempt - 1 + outcome.get("attempt", 1)}


def _by_solver(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, those of one solver with one value for every parameter together: they share a process."""
    places: dict[str, int] = {}
    names = {c.key: digest([c.solver.name, c.solver.path, c.solver.settings]) for c in cells}
    return sorted(cells, key=lambda c: places.setdefault(names[c.key], len(places)))


def batches(cells: Sequence[Cell], size: int) -> list[list[Cell]]:
    """Cells that one solver can do in one call: same solver, prior, settings and degradation, at most ``size``."""
    batches: list[list[Cell]] = []
    for cell in cells:
        last = batches[-1] if batches else []
        alike = last and (last[0].solver, last[0].prior) == (cell.solver, cell.prior)
        if alike and last[0].shot.degradation == cell.shot.degradation and len(last) < size:
            last.append(cell)
        else:
            batches.append([cell])
    return batches
