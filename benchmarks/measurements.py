"""How fast camera-shake kernels, whole measurements and training pairs are made.

Kernels and measurements: per CPU second on one thread, beside deepinv's generators. Random numbers are included in
every time; generators are made beforehand. deepinv's MotionBlurGenerator is another model: smooth Gaussian-process
paths, without shakes, tremor or exposure. A measurement is a kernel of 31 x 31 of its own, the blur of a picture
("valid": the scene is larger by 15 pixels on each side) and Poisson and Gaussian noise; ours in float64, one by one,
each from random numbers keyed by its name, as a run makes them; deepinv's in batches, in float32, from one generator,
by its Blur (spatial convolution) and, on periodic data, its BlurFFT.

Training pairs: per CPU second of one process, cold (every kernel is drawn for the first time), warm (kernels come
from the pool), and those that a training step uses on a CPU. The last column is the share of a training's time that
pairs take when no other process makes them: used / (used + warm). They need a folder of photographs (--data-root).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clock import cpu_seconds
from deepinv.physics import Blur, BlurFFT, PoissonGaussianNoise
from deepinv.physics.generator import MotionBlurGenerator
from scene import made, picture
from tables import Row

from bench.contracts import Image
from bench.imaging.blur import Boundary
from bench.imaging.measure import measure
from bench.seeds import generator
from bench.train import loop
from bench.train.data.feed import tensors
from bench.train.kinds.base import Lesson
from bench.train.recipe.read import read
from bench.train.session import initial_state, lesson_of

SIDE = 31
RECIPES = ("conditional_dm_cpu", "convir_cpu", "swinir_light_cpu")


def kernels(batch: int = 128, repeat: int = 7, size: int = 128) -> Iterator[Row]:
    """Kernels, then measurements of ``size`` pixels: ``batch`` in a call, in the best call and in the median one."""
    n, what = batch, f"kernel {SIDE} x {SIDE}"
    ways = [
        (what, "deblur-bench", "boracchi_foi, 2000 samples, batch", batched(n, 2000)),
        (what, "deblur-bench", "boracchi_foi, 2000 samples, one by one", one_by_one(n, 2000)),
        (what, "deblur-bench", "boracchi_foi, 500 samples, batch", batched(n, 500)),
        (what, "deepinv", "MotionBlurGenerator, default (1000 steps)", deepinv_kernels(n, 1000)),
        # 12566 steps are 2000 points on the path
        (what, "deepinv", "MotionBlurGenerator, 12566 steps", deepinv_kernels(n, 12566)),
    ]
    boundaries: tuple[Boundary, ...] = ("valid", "circular")
    for boundary in boundaries:
        what = f"measurement {size} x {size}, {boundary}"
        ways.append((what, "deblur-bench", "measure, FFT", measured(n, size, boundary)))
        ways.append((what, "deepinv", "Blur", deepinv_measured(n, size, boundary, "Blur")))
    ways.append((what, "deepinv", "BlurFFT", deepinv_measured(n, size, "circular", "BlurFFT")))
    for what, library, how, call in ways:
        call()  # warm up
        times = np.array([cpu_seconds(call) for _ in range(repeat)])
        best, median = n / float(times.min()), n / float(np.median(times))
        yield {"what": what, "library": library, "how": how, "per CPU s, best": best, "median": median}


def batched(n: int, samples: int) -> Callable[[], object]:
    """n kernels in one call of ``BoracchiFoi.psfs``."""
    shake = made("operator", "boracchi_foi", length=16.0, samples=samples, size=SIDE)
    rngs = [generator("kernels", i) for i in range(n)]
    return lambda: shake.psfs(rngs)


def one_by_one(n: int, samples: int) -> Callable[[], object]:
    """n kernels by n calls of ``BoracchiFoi.psf``."""
    shake = made("operator", "boracchi_foi", length=16.0, samples=samples, size=SIDE)
    rngs = [generator("kernels", i) for i in range(n)]
    return lambda: [shake.psf(rng) for rng in rngs]


def deepinv_kernels(n: int, points: int) -> Callable[[], object]:
    """n kernels of deepinv's Gaussian-process trajectories."""
    motion = MotionBlurGenerator((SIDE, SIDE), rng=torch.Generator().manual_seed(0), n_steps=points)
    return lambda: motion.step(batch_size=n)


def larger(size: int, boundary: Boundary) -> tuple[np.ndarray, int]:
    """The scene of a measurement, and its margin."""
    margin = SIDE // 2 if boundary == "valid" else 0
    return np.pad(picture(size), ((0, 0), (margin, margin), (margin, margin)), "reflect"), margin


def measured(n: int, size: int, boundary: Boundary) -> Callable[[], object]:
    """n measurements as a run makes them."""
    shake = made("operator", "boracchi_foi", length=16.0, size=SIDE)
    noise = made("noise", "poisson_gaussian", lam=192000, sigma=2)
    image = Image("camera", *larger(size, boundary))

    def make() -> None:
        for i in range(n):
            measure(image, shake.psf(generator("psf", i)), noise, generator("noise", i), boundary)

    return make


def deepinv_measured(n: int, size: int, boundary: Boundary, physics: str) -> Callable[[], object]:
    """n measurements by deepinv's generator, blur and noise, in batches of 16."""
    motion = MotionBlurGenerator((SIDE, SIDE), rng=torch.Generator().manual_seed(0))
    batch = min(n, 16)
    x = torch.as_tensor(larger(size, boundary)[0], dtype=torch.float32).expand(batch, -1, -1, -1)
    noise = PoissonGaussianNoise(gain=255 / 192000, sigma=2 / 255, rng=torch.Generator().manual_seed(0))
    start: Any = motion.step(batch_size=batch)["filter"]
    if physics == "BlurFFT":
        blur: Any = BlurFFT(img_size=tuple(x.shape[1:]), filter=start, noise_model=noise)
    else:
        blur = Blur(filter=start, padding=boundary, noise_model=noise)

    def make() -> None:
        for _ in range(n // batch):
            blur(x, filter=motion.step(batch_size=batch)["filter"])

    return make


def pairs(data_root: Path, recipes: Sequence[str] = RECIPES, pool: int = 10_000, steps: int = 4) -> Iterator[Row]:
    """One recipe a row; ``pool`` pairs are made to fill the pool of kernels, ``steps`` of training are timed."""
    for name in recipes:
        plan = read(Path(__file__).parents[1] / f"recipes/{name}.yaml")
        lesson = lesson_of(plan)
        lesson.open(data_root)
        cold = rate(lesson.make, plan.batch, range(5))
        for step in range(10_000, 10_000 + pool // plan.batch):
            lesson.make(step)
        warm, needs = rate(lesson.make, plan.batch, range(30)), used(lesson, plan, steps)
        share = 100 * needs / (needs + warm)
        yield {"recipe": name, "pairs per CPU s, cold": cold, "warm": warm, "used by the step": needs,
               "share of the time (%)": share}  # fmt: skip


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
        loop.step(state, lesson, [batch], torch.device("cpu"))

    step(0)
    return rate(step, plan.batch, range(steps))
