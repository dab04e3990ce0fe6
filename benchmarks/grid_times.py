"""How long the shipped grids take that every change runs: ``quickstart``, ``classical`` and ``ci``.

    python benchmarks/grid_times.py [GRID ...] [--limit 300]

Wall and CPU seconds of a cold ``bench run`` with its own number of workers, and of the same command again.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clock import spend
from overhead import BENCH
from tables import show

COLUMNS = {
    "grid": "grid", "wall_s": "wall s", "cpu_s": "CPU s", "memory_mb": "memory at most (MB)",
    "again_s": "again, wall s", "bar": "bar (wall s)", "note": "",
}  # fmt: skip
#: wall seconds that a grid may take: the main job two minutes, another three
BAR, BARS = 180.0, {"quickstart": 120.0}


class Row(NamedTuple):
    """One grid; None where it did not come to an end."""

    grid: str
    wall_s: float | None = None
    cpu_s: float | None = None
    memory_mb: float | None = None
    again_s: float | None = None
    bar: float = BAR
    note: str = ""


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One grid a row."""
    for grid in options.grids:
        with tempfile.TemporaryDirectory() as name:
            command = [BENCH, "run", grid, "--out", str(Path(name) / "run")]
            command += [word for only in options.only for word in ("--only", only)]
            try:
                cold = spend(*command, cwd=Path(name), limit=options.limit, memory=True)
                again = spend(*command, cwd=Path(name), limit=options.limit)
            except subprocess.TimeoutExpired:
                yield Row(grid, note=f"not run to the end: more than {options.limit:.0f} s")
                continue
        yield Row(grid, cold.wall, cold.cpu, cold.memory, again.wall, BARS.get(grid, BAR))


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grids", nargs="*", default=["quickstart", "classical", "ci"])
    parser.add_argument("--limit", type=float, default=300, help="wall seconds that a run may take")
    parser.add_argument("--only", action="append", default=[], help="handed on to bench run")
    return parser


def main() -> None:
    """Print the table."""
    show(COLUMNS, rows(arguments().parse_args()))


if __name__ == "__main__":
    main()
