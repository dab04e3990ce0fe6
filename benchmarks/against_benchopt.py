"""The harness beside benchopt: the same grids, cold and again, by number of cells.

    python benchmarks/against_benchopt.py --benchopt /path/to/benchopt [--cells 50 500 5000] [--limit 150]

``uv venv V && uv pip install --python V benchopt`` makes an environment that has it. The two grids of tasks.py: a
solver that does nothing, and a Wiener filter in numpy. CPU seconds of all processes, one worker each, every thread
pool at one thread. benchopt runs as cheaply as it can: each solver once (``run_once``), one repetition, no plots, no
page, no timeout, in its own process. After a run its results are counted. Last come 500 cells with two workers.

What differs, to benchopt's favour: it makes the measurement in the data set's own code, starts no worker process,
limits no cell in time or memory and hashes no measurement; ours makes it from keyed random numbers, solves it in a
process that may be killed, imports torch, and writes a journal. To ours: benchopt measures a time-accuracy curve and
holds data sets and solvers in environments of their own, which is not used here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
from clock import Spent, spend
from overhead import BENCH
from tables import show
from tasks import TASKS, ours, theirs

COLUMNS = {
    "grid": "grid", "cells": "cells", "workers": "workers", "phase": "", "our_cpu_s": "ours, CPU s",
    "their_cpu_s": "benchopt, CPU s", "ratio": "times less", "our_wall_s": "ours, wall s",
    "their_wall_s": "benchopt, wall s", "our_mb": "ours, MB", "their_mb": "benchopt, MB", "note": "",
}  # fmt: skip
ENV = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}


class Row(NamedTuple):
    """Both on one grid: CPU and wall seconds and memory (MB); None where not run."""

    grid: str
    cells: int
    workers: int
    phase: str
    our_cpu_s: float | None = None
    their_cpu_s: float | None = None
    ratio: float | None = None
    our_wall_s: float | None = None
    their_wall_s: float | None = None
    our_mb: float | None = None
    their_mb: float | None = None
    note: str = ""


class Outcome(NamedTuple):
    """Two runs of a tool on a grid: cold and again; squared errors that it recorded; what went wrong."""

    cold: Spent | None = None
    again: Spent | None = None
    errors: np.ndarray | None = None
    note: str = ""


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
    command = [
        str(benchopt), "run", ".", "-n", "1", "-r", "1", "-j", str(workers), "--no-timeout", "--no-plot", "--no-html",
        "--no-display", "--output", "run",
    ]  # fmt: skip

    def errors() -> np.ndarray:
        return np.asarray(pandas.read_parquet(folder / "outputs/run.parquet")["objective_value"], float)

    return _twice("benchopt", command, folder, limit, errors)


def _twice(tool: str, command: list[str], place: Path, limit: float, errors: Callable[[], np.ndarray]) -> Outcome:
    try:
        cold = spend(*command, cwd=place, limit=limit, env=ENV, memory=True)
        found = np.sort(errors())
    except subprocess.TimeoutExpired:
        return Outcome(note=f"{tool} not run to the end: more than {limit:.0f} s")
    except subprocess.CalledProcessError as error:
        return Outcome(note=f"{tool} failed: {str(error.stderr).strip().splitlines()[-1][:120]}")
    try:
        return Outcome(cold, spend(*command, cwd=place, limit=limit, env=ENV, memory=True), found)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return Outcome(cold, None, found, f"{tool} again: not run to the end")


def compared(task: str, cells: int, workers: int, options: argparse.Namespace) -> Iterator[Row]:
    """Two rows: cold, and again."""
    with tempfile.TemporaryDirectory() as name:
        mine = run_ours(Path(name) / "ours", task, cells, workers, options.limit)
        other = run_theirs(Path(name) / "theirs", task, cells, workers, options.limit, options.benchopt)
    note = "; ".join(filter(None, [mine.note, other.note, _same(task, cells, mine, other)]))
    for phase, a, b in (("cold", mine.cold, other.cold), ("again", mine.again, other.again)):
        yield Row(
            task, cells, workers, phase, a and a.cpu, b and b.cpu, b.cpu / a.cpu if a and b else None,
            a and a.wall, b and b.wall, a and a.memory, b and b.memory, note,
        )  # fmt: skip


def _same(task: str, cells: int, mine: Outcome, other: Outcome) -> str:
    """What is wrong with the results, if anything is."""
    for tool, outcome in (("ours", mine), ("benchopt", other)):
        if outcome.errors is not None and len(outcome.errors) != cells:
            return f"{tool} recorded {len(outcome.errors)} results"
    if task == "wiener" and mine.errors is not None and other.errors is not None:
        difference = float(np.max(np.abs(mine.errors / other.errors - 1)))
        return "" if difference < 1e-6 else f"squared errors differ by up to {difference:.1e} of themselves"
    return ""


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Small grids first, so that what takes long comes last; then two workers."""
    for cells in options.cells:
        for task in TASKS:
            yield from compared(task, cells, 1, options)
    if options.two_workers:
        yield from compared("noop", options.two_workers, 2, options)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchopt", type=Path, required=True, help="benchopt's command")
    parser.add_argument("--cells", type=int, nargs="+", default=[50, 500, 5000])
    parser.add_argument("--two-workers", type=int, default=500, help="cells of the run with two workers; 0: none")
    parser.add_argument("--limit", type=float, default=150, help="wall seconds that one run may take")
    return parser


def main() -> None:
    """Print the table."""
    show(COLUMNS, rows(arguments().parse_args()))


if __name__ == "__main__":
    main()
