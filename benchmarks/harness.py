"""What the harness itself costs: start-up of its commands, cells of a solver that does nothing, the shipped grids.

CPU seconds of all processes together, the smallest of the repeats; those of `import torch` are taken off the cold
run. Given benchopt's command, its start-up is measured too. Of the shipped grids that every change runs: wall and CPU
seconds of a cold ``bench run`` with its own number of workers, and of the same command again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from clock import Spent, least, spend
from tables import Row
from tasks import ours

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import fake_run  # pyright: ignore[reportMissingImports]  it lies in tests/

BENCH = str(Path(sys.executable).with_name("bench"))
#: wall seconds that a grid may take: the main job two minutes, another three
BAR, BARS = 180.0, {"quickstart": 120.0}


def start(repeat: int = 3, cells: int = 500, benchopt: Path | None = None) -> Iterator[Row]:
    """Commands that only start; cells of a solver that does nothing; a check."""
    for words in (["--help"], ["list"]):
        yield command(f"bench {words[0]}", least(BENCH, *words, repeat=repeat), 0.35)
    if benchopt:
        yield command("benchopt --help", least(benchopt, "--help", repeat=repeat))
    torch = least(sys.executable, "-c", "import torch", repeat=repeat)
    yield command("import torch", torch)
    with tempfile.TemporaryDirectory() as name:
        grid = ours(Path(name), "noop", cells)

        def run(out: str, memory: bool = False) -> Spent:
            return spend(BENCH, "run", grid.name, "--out", out, cwd=grid.parent, memory=memory)

        cold = min((run(f"cold{i}") for i in range(repeat)), key=lambda s: s.cpu)
        again = min((run("cold0") for _ in range(repeat)), key=lambda s: s.cpu)
        memory = run("looked-at", memory=True).memory
    yield command(f"{cells} no-op cells, cold", cold._replace(memory=memory))
    yield {
        "what": f"{cells} no-op cells, cold, without import torch",
        "CPU s": cold.cpu - torch.cpu,
        "bar (CPU s)": 3.0,
    }
    yield command(f"{cells} no-op cells, again", again, 1.5)
    yield command("bench check, 432 cells", _check(repeat), 1.0)


def command(what: str, spent: Spent, bar: float | None = None) -> Row:
    """A row of ``start``."""
    memory = spent.memory or None
    return {"what": what, "CPU s": spent.cpu, "wall s": spent.wall, "memory at most (MB)": memory, "bar (CPU s)": bar}


def _check(repeat: int) -> Spent:
    """``bench check`` of a run of the shape of the ci grid's against its own baseline."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run = fake_run.write_large(place / "run", 27, 4, 4)
        baseline = ["--baseline", str(place / "baseline.parquet")]
        spend(BENCH, "baseline", "update", str(run), *baseline, "--reason", "a benchmark", "--all")
        return least(BENCH, "check", str(run), *baseline, repeat=repeat)


def grids(
    names: Sequence[str] = ("quickstart", "classical", "ci"), limit: float = 240, only: str | None = None
) -> Iterator[Row]:
    """One grid a row, each run within ``limit`` wall seconds; ``only`` is handed on to ``bench run``."""
    for grid in names:
        row = {"grid": grid, "bar (wall s)": BARS.get(grid, BAR)}
        with tempfile.TemporaryDirectory() as name:
            words = [BENCH, "run", grid, "--out", str(Path(name) / "run"), *(["--only", only] if only else [])]
            try:
                cold = spend(*words, cwd=Path(name), limit=limit, memory=True)
                again = spend(*words, cwd=Path(name), limit=limit)
            except subprocess.TimeoutExpired:
                yield row | {"note": f"not run to the end: more than {limit:.0f} s"}
                continue
        yield row | {
            "wall s": cold.wall, "CPU s": cold.cpu, "memory at most (MB)": cold.memory, "again, wall s": again.wall,
        }  # fmt: skip
