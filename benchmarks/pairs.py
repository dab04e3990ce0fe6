"""Whether training pairs are made faster than a step uses them up.

    OMP_NUM_THREADS=1 python benchmarks/pairs.py [RECIPE ...] --data-root FOLDER

Pairs per CPU second of one process: cold (every kernel is drawn for the first time), warm (kernels come from the
pool), and those that a training step uses on a CPU. The last column is the share of a training's time that pairs take
when no other process makes them: used / (used + warm).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench.train import loop
from bench.train.feed import tensors
from bench.train.lesson import Lesson, lesson_of
from bench.train.recipe import read
from bench.train.state import State

RECIPES = ("conditional_dm_cpu", "convir_cpu", "swinir_light_cpu")


def rate(make: Callable[[int], object], batch: int, steps: range) -> float:
    """Pairs per CPU second over some steps."""
    start = time.process_time()
    for step in steps:
        make(step)
    return len(steps) * batch / (time.process_time() - start)


def used(lesson: Lesson, plan: Any) -> float:
    """Pairs per CPU second that training steps use."""
    state, batch = State.start(plan, torch.device("cpu")), tensors(lesson.make(0))

    def step(_: int) -> None:
        loop.step(state, lesson, batch, torch.device("cpu"))

    step(0)
    return rate(step, plan.batch, range(4))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--data-root", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| recipe | cold | warm | used by the step | share |\n|---|---|---|---|---|")
    for name in args.recipes:
        plan = read(Path(__file__).parents[1] / f"recipes/{name}.yaml")
        lesson = lesson_of(plan)
        lesson.open(args.data_root)
        cold = rate(lesson.make, plan.batch, range(5))
        for step in range(10_000, 10_000 + 20_000 // plan.batch):
            lesson.make(step)  # fill the pool
        warm, needs = rate(lesson.make, plan.batch, range(30)), used(lesson, plan)
        print(f"| `{name}` | {cold:.0f} | {warm:.0f} | {needs:.0f} | {needs / (needs + warm):.1%} |", flush=True)


if __name__ == "__main__":
    main()
