"""What the harness itself costs: start-up of its commands, 500 cells of a solver that does nothing, bench check.

    python benchmarks/overhead.py [--repeat 3] [--benchopt /path/to/benchopt]

CPU seconds of all processes together, the smallest of the repeats; those of `import torch` are taken off the cold
run. Given benchopt's command, its start-up is measured too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clock import Spent, spend
from tables import show
from tasks import ours

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import fake_run  # pyright: ignore[reportMissingImports]  it lies in tests/

BENCH = str(Path(sys.executable).with_name("bench"))
TORCH = "import torch"
COLUMNS = {
    "what": "what", "cpu_s": "CPU s", "wall_s": "wall s", "memory_mb": "memory at most (MB)", "bar": "bar (CPU s)",
}  # fmt: skip


class Row(NamedTuple):
    """CPU and wall seconds of a command, memory of its processes, and the bar for the CPU seconds."""

    what: str
    cpu_s: float
    wall_s: float | None = None
    memory_mb: float | None = None
    bar: float | None = None


def least(*command: str, repeat: int = 3, cwd: Path | None = None) -> Spent:
    """The run with the fewest CPU seconds."""
    return min((spend(*command, cwd=cwd) for _ in range(repeat)), key=lambda s: s.cpu)


def start_up(repeat: int, benchopt: Path | None) -> Iterator[Row]:
    """Commands that only start."""
    for arguments in (["--help"], ["list"]):
        spent = least(BENCH, *arguments, repeat=repeat)
        yield Row(" ".join(["bench", *arguments]), spent.cpu, spent.wall, bar=0.35)
    if benchopt:
        spent = least(str(benchopt), "--help", repeat=repeat)
        yield Row("benchopt --help", spent.cpu, spent.wall)


def nothing(repeat: int, cells: int = 500) -> Iterator[Row]:
    """Cells of a solver that does nothing."""
    torch = least(sys.executable, "-c", TORCH, repeat=repeat)
    yield Row(TORCH, torch.cpu, torch.wall)
    with tempfile.TemporaryDirectory() as name:
        grid = ours(Path(name), "noop", cells)

        def run(out: str, memory: bool = False) -> Spent:
            return spend(BENCH, "run", grid.name, "--out", out, cwd=grid.parent, memory=memory)

        cold = min((run(f"cold{i}") for i in range(repeat)), key=lambda s: s.cpu)
        again = min((run("cold0") for _ in range(repeat)), key=lambda s: s.cpu)
        memory = run("looked-at", memory=True).memory
    yield Row(f"{cells} no-op cells, cold", cold.cpu, cold.wall, memory)
    yield Row(f"{cells} no-op cells, cold, without {TORCH}", cold.cpu - torch.cpu, bar=3.0)
    yield Row(f"{cells} no-op cells, again", again.cpu, again.wall, bar=1.5)


def check(repeat: int) -> Iterator[Row]:
    """bench check of a run of the shape of the ci grid's against its own baseline."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run = fake_run.write_large(place / "run", 27, 4, 4)
        baseline = ["--baseline", str(place / "baseline.parquet")]
        spend(BENCH, "baseline", "update", str(run), *baseline, "--reason", "a benchmark", "--all")
        spent = least(BENCH, "check", str(run), *baseline, repeat=repeat)
    yield Row("bench check, 432 cells", spent.cpu, spent.wall, bar=1.0)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """All of it."""
    yield from start_up(options.repeat, options.benchopt)
    yield from nothing(options.repeat, options.noop)
    yield from check(options.repeat)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--noop", type=int, default=500, help="cells of a solver that does nothing")
    parser.add_argument("--benchopt", type=Path, help="benchopt's command")
    return parser


def main() -> None:
    """Print the table."""
    show(COLUMNS, rows(arguments().parse_args()))


if __name__ == "__main__":
    main()
