"""Camera-shake kernels per second on one thread, beside deepinv's MotionBlurGenerator (another model).

Run with ``python benchmarks/kernels.py`` in the environment of the project. Random numbers are included in every
CPU time; generators are made beforehand. Other work on the machine only adds, so read the best repetition first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import import_module

import numpy as np
import torch
from deepinv.physics.generator import MotionBlurGenerator

from bench.seeds import generator

BoracchiFoi = import_module("bench.operators.boracchi_foi").BoracchiFoi


def batched(samples: int, n: int) -> Callable[[], object]:
    """n kernels in one call of ``BoracchiFoi.psfs``."""
    op = BoracchiFoi(16.0, samples=samples, size=31)
    rngs = [generator("kernels", i) for i in range(n)]
    return lambda: op.psfs(rngs)


def single(samples: int, n: int) -> Callable[[], object]:
    """n kernels by n calls of ``BoracchiFoi.psf``."""
    op = BoracchiFoi(16.0, samples=samples, size=31)
    rngs = [generator("kernels", i) for i in range(n)]
    return lambda: [op.psf(rng) for rng in rngs]


def deepinv(n: int, n_steps: int) -> Callable[[], object]:
    """n kernels of deepinv's Gaussian-process trajectories."""
    motion = MotionBlurGenerator((31, 31), rng=torch.Generator().manual_seed(0), n_steps=n_steps)
    return lambda: motion.step(batch_size=n)


def seconds(call: Callable[[], object], repetitions: int) -> np.ndarray:
    """CPU time of each repetition, after one to warm up: one thread works, and other programs hardly count."""
    call()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return np.array(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Camera-shake kernels per second on one thread.")
    parser.add_argument("--batch", type=int, default=128, help="kernels per call")
    parser.add_argument("--repetitions", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    n = args.batch
    rows = {
        "boracchi_foi N=2000, batch": batched(2000, n),
        "boracchi_foi N=2000, one by one": single(2000, n),
        "boracchi_foi N=500 rescaled, batch": batched(500, n),
        "boracchi_foi N=500 rescaled, one by one": single(500, n),
        "deepinv MotionBlurGenerator, defaults": deepinv(n, 1000),
        "deepinv MotionBlurGenerator, n_steps=12566": deepinv(n, 12566),  # 2000 points on the path
    }
    print(f"{n} kernels of 31 x 31, one thread, {args.repetitions} repetitions\n")
    print(f"| {'generator':42} | kernels per CPU s, best | median |\n|{'-' * 44}|------------------------:|-------:|")
    for name, call in rows.items():
        times = seconds(call, args.repetitions)
        print(f"| {name:42} | {n / times.min():23,.0f} | {n / np.median(times):6,.0f} |")


if __name__ == "__main__":
    main()
