"""Camera-shake kernels and whole measurements per second on one thread, beside deepinv's generators.

    OMP_NUM_THREADS=1 python benchmarks/kernels.py [--batch 128] [--repeat 7] [--size 128]

Random numbers are included in every CPU time; generators are made beforehand. deepinv's MotionBlurGenerator is
another model: smooth Gaussian-process paths, without shakes, tremor or exposure. A measurement is a kernel of 31 x 31
of its own, the blur of a picture ("valid": the scene is larger by 15 pixels on each side) and Poisson and Gaussian
noise; ours in float64, one by one, each from random numbers keyed by its name, as a run makes them; deepinv's in
batches, in float32, from one generator, by its Blur (spatial convolution) and, on periodic data, its BlurFFT.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from clock import cpu_seconds
from deepinv.physics import Blur, BlurFFT, PoissonGaussianNoise
from deepinv.physics.generator import MotionBlurGenerator
from scene import made, picture
from tables import show

from bench.contracts import Image
from bench.imaging.blur import Boundary
from bench.imaging.measure import measure
from bench.seeds import generator

SIDE = 31
COLUMNS = {
    "what": "what", "library": "library", "how": "how", "best": "per CPU s, best", "median": "median",
}  # fmt: skip


class Row(NamedTuple):
    """How many are made in a CPU second, in the best repetition and in the median one."""

    what: str
    library: str
    how: str
    best: float
    median: float


def ours_batched(n: int, samples: int) -> Callable[[], object]:
    """n kernels in one call of ``BoracchiFoi.psfs``."""
    shake = made("operator", "boracchi_foi", length=16.0, samples=samples, size=SIDE)
    rngs = [generator("kernels", i) for i in range(n)]
    return lambda: shake.psfs(rngs)


def ours_single(n: int, samples: int) -> Callable[[], object]:
    """n kernels by n calls of ``BoracchiFoi.psf``."""
    shake = made("operator", "boracchi_foi", length=16.0, samples=samples, size=SIDE)
    rngs = [generator("kernels", i) for i in range(n)]
    return lambda: [shake.psf(rng) for rng in rngs]


def deepinv_kernels(n: int, points: int) -> Callable[[], object]:
    """n kernels of deepinv's Gaussian-process trajectories."""
    motion = MotionBlurGenerator((SIDE, SIDE), rng=torch.Generator().manual_seed(0), n_steps=points)
    return lambda: motion.step(batch_size=n)


def ours_measured(n: int, size: int, boundary: Boundary) -> Callable[[], object]:
    """n measurements as a run makes them."""
    shake = made("operator", "boracchi_foi", length=16.0, size=SIDE)
    noise = made("noise", "poisson_gaussian", lam=192000, sigma=2)
    margin = SIDE // 2 if boundary == "valid" else 0
    image = Image("camera", np.pad(picture(size), ((0, 0), (margin, margin), (margin, margin)), "reflect"), margin)

    def make() -> None:
        for i in range(n):
            measure(image, shake.psf(generator("psf", i)), noise, generator("noise", i), boundary)

    return make


def deepinv_measured(n: int, size: int, boundary: Boundary, physics: str) -> Callable[[], object]:
    """n measurements by deepinv's generator, blur and noise, in batches of 16."""
    motion = MotionBlurGenerator((SIDE, SIDE), rng=torch.Generator().manual_seed(0))
    margin = SIDE // 2 if boundary == "valid" else 0
    scene = np.pad(picture(size), ((0, 0), (margin, margin), (margin, margin)), "reflect")
    batch = min(n, 16)
    x = torch.as_tensor(scene, dtype=torch.float32).expand(batch, -1, -1, -1)
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


def measured(what: str, library: str, how: str, call: Callable[[], object], n: int, repeat: int) -> Row:
    """A row, after one call to warm up."""
    call()
    times = np.array([cpu_seconds(call) for _ in range(repeat)])
    return Row(what, library, how, n / times.min(), n / float(np.median(times)))


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Kernels, then measurements."""
    n, size = options.batch, options.size
    what = f"kernel {SIDE} x {SIDE}"
    ways = [
        (what, "deblur-bench", "boracchi_foi, 2000 samples, batch", ours_batched(n, 2000)),
        (what, "deblur-bench", "boracchi_foi, 2000 samples, one by one", ours_single(n, 2000)),
        (what, "deblur-bench", "boracchi_foi, 500 samples, batch", ours_batched(n, 500)),
        (what, "deepinv", "MotionBlurGenerator, default (1000 steps)", deepinv_kernels(n, 1000)),
        # 12566 steps are 2000 points on the path
        (what, "deepinv", "MotionBlurGenerator, 12566 steps", deepinv_kernels(n, 12566)),
    ]
    boundaries: tuple[Boundary, ...] = ("valid", "circular")
    for boundary in boundaries:
        what = f"measurement {size} x {size}, {boundary}"
        ways.append((what, "deblur-bench", "measure, FFT", ours_measured(n, size, boundary)))
        ways.append((what, "deepinv", "Blur", deepinv_measured(n, size, boundary, "Blur")))
    ways.append((what, "deepinv", "BlurFFT", deepinv_measured(n, size, "circular", "BlurFFT")))
    for what, library, how, call in ways:
        yield measured(what, library, how, call, n, options.repeat)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128, help="kernels or measurements per call")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--size", type=int, default=128, help="pixels of a measurement's side")
    return parser


def main() -> None:
    """Print the table."""
    options = arguments().parse_args()
    torch.set_num_threads(1)
    show(COLUMNS, rows(options))


if __name__ == "__main__":
    main()
