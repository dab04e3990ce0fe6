"""Classical solvers beside their counterparts in other libraries: CPU seconds to the counterpart's PSNR.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side.py [--sizes 128 512 2048] [--batches 1 16] [--limit 60]

scikit-image's camera, averaged down to 128 x 128, as it is, and enlarged to 2048 x 2048; periodic data; one
Boracchi-Foi kernel of about 9 x 25 pixels; noise sigma = 2/255; one thread. Each method runs at the weight that is
best for it at 128 x 128. Ours is stopped after the fewest iterations that reach the counterpart's PSNR (off the
border, clipped), a batch being images with noise of their own; where it never does, its row says by how much it falls
short. ``pairs`` is its time over that of as many rfft2 + irfft2 of the batch as it made iterations. A counterpart
that would take longer than the limit, judged by the last size, is not run.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from skimage import data
from skimage.transform import resize
from torch import Tensor
from tv_bars import BORDER, PoissonGaussian, cpu_seconds, kernels, psnr

from bench.assemble import assemble
from bench.contracts import Image, Problem, Solver
from bench.measure import measure
from bench.plugins import find, load
from bench.seeds import generator

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200)


class Method(NamedTuple):
    """A solver and the setting that is searched for it.

    Attributes:
        steps: the field that holds its number of iterations; None for closed forms.
        tried: values of ``field``.
    """

    name: str
    solver: Solver
    field: str
    tried: Sequence[float]
    steps: str | None = None


def made(name: str, **settings: Any) -> Any:
    """A shipped solver."""
    return load(find("solver", name))(**settings)


def around(solver: Any, field: str, n: int = 9) -> list[float]:
    """Values about the default, factors of 1/4 to 4."""
    return [getattr(solver, field) * f for f in np.geomspace(0.25, 4, n)]


def methods() -> list[tuple[Method, list[Method]]]:
    """Ours, and what does the same elsewhere."""

    def tuned(name: str, field: str, label: str, steps: str | None = None, **settings: Any) -> Method:
        solver = made(name, **settings)
        return Method(label, solver, field, around(solver, field), steps)

    def deepinv(preset: str) -> Method:
        return tuned("deepinv_model", "weight", f"deepinv {preset}", model=preset)

    count = [5, 10, 20, 30, 50, 80]
    return [
        (
            tuned("wiener", "balance", "wiener", prior="laplacian"),
            [deepinv("wiener"), tuned("skimage_wiener", "balance", "scikit-image wiener")],
        ),
        (
            Method("richardson_lucy", made("richardson_lucy"), "steps", count, "steps"),
            [Method("scikit-image richardson_lucy", made("skimage_richardson_lucy"), "num_iter", count)],
        ),
        (
            tuned("haar_fista", "lam", "haar_fista", "steps"),
            [deepinv("fista_haar"), tuned("pylops_fista_haar", "eps", "pylops fista")],
        ),
        (
            tuned("tv", "lam", "tv", "steps"),
            [
                deepinv("pdcp_tv"),
                deepinv("admm_tv"),
                tuned("pylops_tv", "eps", "pylops splitbregman"),
                tuned("pyproximal_tv", "lam", "pyproximal PrimalDual"),
            ],
        ),
    ]


def picture(size: int) -> np.ndarray:
    """Camera (1, size, size), float64 in [0, 1]."""
    camera = np.asarray(data.camera()) / 255
    enlarged = resize(camera, (size, size), order=3, anti_aliasing=size < len(camera))
    return np.clip(np.asarray(enlarged), 0, 1)[None]


def problem(size: int, batch: int) -> tuple[Problem, Tensor]:
    """A batch of measurements of one scene, each with noise of its own, and the truth."""
    (psf,) = kernels(1)
    scene, noise = Image("camera", picture(size), 0), PoissonGaussian(lam=math.inf, sigma=2.0)
    found = [measure(scene, psf, noise, generator("side by side", i), "circular") for i in range(batch)]
    rngs = [generator(i) for i in range(batch)]
    return assemble(found, rngs, boundary="circular"), torch.as_tensor(found[0].truth, dtype=torch.float32)


def with_value(method: Method, value: float) -> Method:
    """The method at one value of what is searched."""
    assert dataclasses.is_dataclass(method.solver)
    kind = int if isinstance(getattr(method.solver, method.field), int) else float
    return method._replace(solver=dataclasses.replace(method.solver, **{method.field: kind(value)}))


def quality(solver: Solver, given: Problem, truth: Tensor) -> float:
    """PSNR off the border of the first image."""
    return psnr(solver.solve(given), truth, BORDER)


def best(method: Method, given: Problem, truth: Tensor) -> Method:
    """The method at the value with the best PSNR."""
    return max((with_value(method, v) for v in method.tried), key=lambda m: quality(m.solver, given, truth))


def reaching(method: Method, target: float, given: Problem, truth: Tensor) -> tuple[Solver, int, float]:
    """Our solver after the fewest iterations whose PSNR is the target's; iterations, and PSNR reached."""
    if method.steps is None:
        return method.solver, 1, quality(method.solver, given, truth)
    assert dataclasses.is_dataclass(method.solver)
    tried = []
    for n in STEPS:
        solver = dataclasses.replace(method.solver, **{method.steps: n})
        tried.append((solver, n, quality(solver, given, truth)))
        if tried[-1][2] >= target:
            return tried[-1]
    return max(tried, key=lambda t: t[2])


def fft_pair(given: Problem, repeat: int) -> float:
    """CPU seconds of one rfft2 and irfft2 of the batch, image by image as solvers run on a CPU."""

    def pair() -> None:
        for y in given.y:
            torch.fft.irfft2(torch.fft.rfft2(y), s=y.shape[-2:])

    return min(cpu_seconds(pair) for _ in range(max(repeat, 5)))


def one_by_one(solver: Solver, given: Problem) -> float:
    """CPU seconds of the batch as the harness runs it on a CPU."""
    return cpu_seconds(lambda: solver.solve(given))


def rows(
    ours: Method, other: Method, case: tuple[Problem, Tensor], spent: dict[str, float], options: argparse.Namespace
) -> Iterator[str]:
    """A table row for one counterpart."""
    given, truth = case
    B, size = len(given.y), given.y.shape[-1]
    growth = B * size**2
    if (expected := spent.get(other.name, 0.0) * growth) > options.limit:
        yield f"| {ours.name} | {other.name} | {size} | {B} | | about {expected:.0f}, not run | | | | |"
        return
    reference = quality(other.solver, given, truth)
    repeat = options.repeat if growth < 2**19 else 1
    theirs = min(one_by_one(other.solver, given) for _ in range(repeat))
    spent[other.name] = theirs / growth
    solver, n, reached = reaching(ours, reference, given, truth)
    mine = min(one_by_one(solver, given) for _ in range(repeat))
    floor = fft_pair(given, repeat) * n
    yield (
        f"| {ours.name} | {other.name} | {size} | {B} | {reference:.2f} | {theirs:.4g} | {reached:.2f} | {n} | "
        f"{mine:.4g} | {theirs / mine:.1f} | {mine / floor:.1f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--limit", type=float, default=60, help="seconds that a counterpart may take")
    parser.add_argument("--repeat", type=int, default=3, help="timed repeats of small cases; the smallest counts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    small = problem(128, 1)
    chosen = [(best(o, *small), [best(m, *small) for m in others]) for o, others in methods()]
    print("| ours | counterpart | px | batch | its dB | its s | our dB | iterations | our s | ratio | pairs |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    spent: dict[str, float] = {}
    for size in options.sizes:
        for batch in options.batches:
            case = problem(size, batch)
            for ours, others in chosen:
                for other in others:
                    for row in rows(ours, other, case, spent, options):
                        print(row, flush=True)


if __name__ == "__main__":
    main()
