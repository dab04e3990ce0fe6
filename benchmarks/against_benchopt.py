"""The harness beside benchopt: the same grids, cold and again, by number of cells.

``uv venv V && uv pip install --python V "benchopt==1.10.*"`` makes an environment that has it: --benchopt
V/bin/benchopt. The two grids of tasks.py: a solver that does nothing, and a Wiener filter in numpy. CPU seconds of
all processes, one worker each, every thread pool at one thread. benchopt runs as cheaply as it can: each solver once
(``run_once``), one repetition, no plots, no page, no timeout, in its own process. After a run its results are
counted. Last come 500 cells with two workers.

What differs, to benchopt's favour: it makes the measurement in the data set's own code, starts no worker process,
limits no cell in time or memory and hashes no measurement; ours makes it from keyed random numbers, solves it in a
process that may be killed, imports torch, and writes a journal. To ours: benchopt measures a time-accuracy curve and
holds data sets and solvers in environments of their own, which is not used here.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
from clock import Spent, spend
from harness import BENCH
from tables import Row
from tasks import TASKS, ours, theirs


class Outcome(NamedTuple):
    """Two runs of a tool on a grid: cold and again; squared errors that it recorded; what went wrong."""

    cold: Spent | None = None
    again: Spent | None = None
    errors: np.ndarray | None = None
    note: str = ""


def rows(
    benchopt: Path, cells: Sequence[int] = (50, 500, 5000), two_workers: int = 500, limit: float = 120
) -> Iterator[Row]:
    """Small grids first; each run within ``limit`` wall seconds; then two workers on so many cells (0: none)."""
    for n in cells:
        for task in TASKS:
            yield from compared(benchopt, task, n, 1, limit)
    if two_workers:
        yield from compared(benchopt, "noop", two_workers, 2, limit)


def compared(benchopt: Path, task: str, cells: int, workers: int, limit: float) -> Iterator[Row]:
    """Two rows: cold, and again."""
    with tempfile.TemporaryDirectory() as name:
        mine = run_ours(Path(name) / "ours", task, cells, workers, limit)
        other = run_theirs(Path(name) / "theirs", task, cells, workers, limit, benchopt)
    note = "; ".join(filter(None, [mine.note, other.note, _difference(task, cells, mine, other)]))
    for phase, a, b in (("cold", mine.cold, other.cold), ("again", mine.again, other.again)):
        yield {
            "grid": task, "cells": cells, "workers": workers, "phase": phase,
            "ours, CPU s": a and a.cpu, "benchopt, CPU s": b and b.cpu,
            "times less": b.cpu / a.cpu if a and b else None,
            "ours, wall s": a and a.wall, "benchopt, wall s": b and b.wall,
            "ours, MB": a and a.memory, "benchopt, MB": b and b.memory, "note": note,
        }  # fmt: skip


def run_ours(place: Path, task: str, cells: int, workers: int, limit: float) -> Outcome:
    """``bench run``, twice."""
    grid = ours(place, task, cells)
    command = [BENCH, "run", grid.name, "--workers", str(workers), "--out", "run"]

    def errors() -> np.ndarray:
        return 10 ** (-np.asarray(pandas.read_parquet(place / "run/results.parquet")["m_psnr"], float) / 10)

    return _twice("ours", command, place, limit, errors)


def run_theirs(place: Path, task: str, cells: int, workers: int, limit: float, benchopt: Path) -> Outcome:
    """``benchopt run``, twice."""
    folder = theirs(place, task, cells)
    plain = ["--no-timeout", "--no-plot", "--no-html", "--no-display", "--output", "run"]
    command = [str(benchopt), "run", ".", "-n", "1", "-r", "1", "-j", str(workers), *plain]

    def errors() -> np.ndarray:
        return np.asarray(pandas.read_parquet(folder / "outputs/run.parquet")["objective_value"], float)

    return _twice("benchopt", command, folder, limit, errors)


def _twice(tool: str, command: list[str], place: Path, limit: float, errors: Callable[[], np.ndarray]) -> Outcome:
    try:
        cold = spend(*command, cwd=place, limit=limit, memory=True)
    except subprocess.TimeoutExpired:
        return Outcome(note=f"{tool} not run to the end: more than {limit:.0f} s")
    except subprocess.CalledProcessError as error:
        return Outcome(note=f"{tool} failed: {str(error.stderr).strip().splitlines()[-1][:120]}")
    recorded = np.sort(errors())
    try:
        return Outcome(cold, spend(*command, cwd=place, limit=limit, memory=True), recorded)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return Outcome(cold, None, recorded, f"{tool} again: not run to the end")


def _difference(task: str, cells: int, mine: Outcome, other: Outcome) -> str:
    """What is wrong with the results, if anything is."""
    for tool, outcome in (("ours", mine), ("benchopt", other)):
        if outcome.errors is not None and len(outcome.errors) != cells:
            return f"{tool} recorded {len(outcome.errors)} results"
    if task == "wiener" and mine.errors is not None and other.errors is not None:
        difference = float(np.max(np.abs(mine.errors / other.errors - 1)))
        return "" if difference < 1e-6 else f"squared errors differ by up to {difference:.1e} of themselves"
    return ""
