"""Whether training pairs are made faster than a step uses them up.

    OMP_NUM_THREADS=1 python benchmarks/pairs.py [RECIPE ...] --data-root FOLDER [--device cpu] [--workers 2]

For each recipe: pairs per second of one process, cold (every kernel is drawn for the first time) and warm (kernels
come from the pool), of ``workers`` processes, and those that the training step uses. The last column is
the share of a training's time that goes into pairs when the same process makes them: used / (used + warm).
"""

from __future__ import annotations

import argparse
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from bench.train import loop
from bench.train.feed import feed, tensors
from bench.train.lesson import Lesson, lesson_of
from bench.train.recipe import read
from bench.train.state import State

RECIPES = ("conditional_dm_cpu", "convir_cpu", "swinir_light_cpu")


def rate(lesson: Lesson, batch: int, steps: range, workers: int = 0) -> float:
    """Pairs per second over the batches of ``steps``; the first is left out: workers start with it."""
    batches = feed(lesson.make, steps.start, steps.stop, workers)
    next(batches)
    start = time.perf_counter()
    n = sum(1 for _ in batches)
    return n * batch / (time.perf_counter() - start)


def used(lesson: Lesson, plan: Any, device: torch.device, n: int = 8) -> float:
    """Pairs per second that training steps use."""
    state = State.start(plan, device)
    batches = [tensors(lesson.make(step)) for step in range(n)]
    loop.step(state, lesson, batches[0], device)
    start = time.perf_counter()
    for batch in islice(batches, 1, None):
        loop.step(state, lesson, batch, device)
    return (n - 1) * plan.batch / (time.perf_counter() - start)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| recipe | cold | warm | {args.workers} processes | used by the step | share |")
    print("|---|---|---|---|---|---|")
    for name in args.recipes:
        plan = read(Path(__file__).parents[1] / f"recipes/{name}.yaml")
        lesson = lesson_of(plan)
        lesson.open(args.data_root)
        cold = rate(lesson, plan.batch, range(6))
        for step in range(10_000, 10_000 + 30_000 // plan.batch):
            lesson.make(step)  # fill the pool
        warm, many = rate(lesson, plan.batch, range(31)), rate(lesson, plan.batch, range(61), args.workers)
        needs = used(lesson, plan, torch.device(args.device))
        figures = " | ".join(f"{v:.0f}" for v in (cold, warm, many, needs))
        print(f"| `{name}` | {figures} | {needs / (needs + warm):.1%} |", flush=True)


if __name__ == "__main__":
    main()
