"""Whether training pairs are made faster than a step uses them up.

    OMP_NUM_THREADS=1 python benchmarks/pairs.py [RECIPE ...] --data-root FOLDER

Pairs per CPU second of one process: cold (every kernel is drawn for the first time), warm (kernels come from the
pool), and those that a training step uses on a CPU. The last column is the share of a training's time that pairs take
when no other process makes them: used / (used + warm).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tables import show

from bench.train import loop
from bench.train.data.feed import tensors
from bench.train.kinds.base import Lesson
from bench.train.recipe.read import read
from bench.train.session import initial_state, lesson_of

RECIPES = ("conditional_dm_cpu", "convir_cpu", "swinir_light_cpu")
COLUMNS = {
    "recipe": "recipe", "cold": "pairs per CPU s, cold", "warm": "warm", "used": "used by the step",
    "share": "share of the time (%)",
}  # fmt: skip


class Row(NamedTuple):
    """Pairs per CPU second, and the share of a training's time in per cent."""

    recipe: str
    cold: float
    warm: float
    used: float
    share: float


def rate(make: Callable[[int], object], batch: int, steps: range) -> float:
    """Pairs per CPU second over some steps."""
    start = time.process_time()
    for step in steps:
        make(step)
    return len(steps) * batch / (time.process_time() - start)


def used(lesson: Lesson, plan: Any, steps: int) -> float:
    """Pairs per CPU second that training steps use."""
    state, batch = initial_state(plan, torch.device("cpu")), tensors(lesson.make(0))

    def step(_: int) -> None:
        loop.step(state, lesson, batch, torch.device("cpu"))

    step(0)
    return rate(step, plan.batch, range(steps))


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One recipe a row."""
    for name in options.recipes:
        plan = read(Path(__file__).parents[1] / f"recipes/{name}.yaml")
        lesson = lesson_of(plan)
        lesson.open(options.data_root)
        cold = rate(lesson.make, plan.batch, range(5))
        for step in range(10_000, 10_000 + options.pool // plan.batch):
            lesson.make(step)  # fill the pool
        warm, needs = rate(lesson.make, plan.batch, range(30)), used(lesson, plan, options.steps)
        yield Row(name, cold, warm, needs, 100 * needs / (needs + warm))


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--data-root", type=Path, help="folder with photographs")
    parser.add_argument("--pool", type=int, default=20_000, help="pairs made to fill the pool of kernels")
    parser.add_argument("--steps", type=int, default=4, help="training steps that are timed")
    return parser


def main() -> None:
    """Print the table."""
    parser = arguments()
    options = parser.parse_args()
    if options.data_root is None:
        parser.error("--data-root FOLDER with photographs is needed")
    torch.set_num_threads(1)
    show(COLUMNS, rows(options))


if __name__ == "__main__":
    main()
