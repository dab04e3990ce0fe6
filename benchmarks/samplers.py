"""Our DPS, DiffPIR and DDRM beside deepinv's: same network, same number of evaluations, same measurements.

    OMP_NUM_THREADS=1 python benchmarks/samplers.py [--steps 100] [--images 4] [--size 64] [--tried 4]

Photographs, camera shake of length 16, periodic data (deepinv's DDRM needs an operator with a singular value
decomposition, its BlurFFT), noise sigma = 4/255, the shipped ``photos`` prior, one thread. The one setting of each
sampler that weighs the data is chosen among equally many values on a validation photograph; seconds do not depend on
it. A last table has the network alone in batches of 1, 4 and 16. All on the CPU: channels_last, torch.compile and
bfloat16, which may pay on a GPU, are not measured.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from clock import cpu_seconds
from deepinv.physics import BlurFFT, GaussianNoise
from deepinv.sampling import DDRM
from scene import made, psnr
from tables import show
from torch import Tensor

from bench.contracts import Cost
from bench.imaging.measure import measure
from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.levels import levels
from bench.methods.libraries.deepinv_prior import DeepinvPrior
from bench.methods.make_problem import assemble
from bench.methods.networks.weights import load
from bench.methods.problem import Problem
from bench.plugins.weights import find_weights
from bench.seeds import generator

COLUMNS = {
    "method": "method", "ours_db": "ours, PSNR (dB)", "theirs_db": "deepinv, PSNR (dB)", "ours_s": "ours, CPU s",
    "theirs_s": "deepinv, CPU s", "ratio": "times faster", "evaluations": "evaluations, ours",
    "their_evaluations": "deepinv", "setting": "setting, ours", "their_setting": "deepinv",
}  # fmt: skip
BATCH_COLUMNS = {
    "threads": "threads", "batch": "batch", "forward_ms": "forward, wall ms an image",
    "both_ms": "forward and backward, wall ms an image",
}  # fmt: skip
SIGMA = 4.0


class Row(NamedTuple):
    """One method, ours and deepinv's: mean PSNR of single samples and CPU seconds an image."""

    method: str
    ours_db: float
    theirs_db: float
    ours_s: float
    theirs_s: float
    ratio: float
    evaluations: int
    their_evaluations: int
    setting: str
    their_setting: str


class Batched(NamedTuple):
    """The network alone, in wall milliseconds an image."""

    threads: int
    batch: int
    forward_ms: float
    both_ms: float


class Sampler(NamedTuple):
    """Something that samples, by the setting that weighs the data."""

    setting: str
    values: tuple[float, ...]
    solve: Callable[[float, Problem], Tensor]


class Sampled(NamedTuple):
    """What a sampler came to at its best value."""

    value: float
    psnr: float
    seconds: float
    evaluations: int


def shipped(name: str, setting: str, steps: int, values: tuple[float, ...]) -> Sampler:
    """A solver of ours, or deepinv's as it is wrapped here."""
    return Sampler(setting, values, lambda v, p: made("solver", name, steps=steps, **{setting: v}).solve(p))


def deepinv_ddrm(steps: int, eta: float, given: Problem) -> Tensor:
    """deepinv's DDRM on its BlurFFT, in float32; its noise levels fall linearly from 1 to almost 0."""
    physics = BlurFFT(img_size=tuple(given.y.shape[1:]), filter=given.psf)
    physics.noise_model = GaussianNoise(float(given.noise.sigma[0]))
    prior = DeepinvPrior(given.prior, given.y.dtype, given.y.device)
    # [0, 1] units. It ends at 0, where the network knows no level; a thousandth of the first stands for that.
    model = DDRM(prior, sigmas=np.linspace(1, 1e-3, steps), eta=eta)
    with torch.random.fork_rng(devices=[]):
        return model(given.y, physics, seed=1 + int(given.rng[0].integers(2**31)))


def methods(steps: int, tried: int) -> list[tuple[str, Sampler, Sampler]]:
    """Ours and deepinv's."""
    etas = (0.85, 1.0, 0.7, 0.5)[:tried]
    return [
        (
            "DPS",
            # deepinv counts time steps, of which the last is no evaluation.
            shipped("dps", "scale", steps, (1.0, 0.5, 2.0, 0.25)[:tried]),
            shipped("deepinv_dps", "weight", steps + 1, (100.0, 1.0, 30.0, 300.0)[:tried]),
        ),
        (
            "DiffPIR",
            shipped("diffpir", "lam", steps, (1.75, 0.875, 3.5, 7.0)[:tried]),
            shipped("deepinv_diffpir", "lam", steps, (7.0, 3.5, 14.0, 28.0)[:tried]),
        ),
        (
            "DDRM",
            shipped("ddrm", "eta", steps, etas),
            Sampler("eta", etas, partial(deepinv_ddrm, steps)),
        ),
    ]


class Photographs:
    """Measurements of photographs: of a validation one, and of test ones."""

    def __init__(self, size: int, images: int):
        self.prior = load(find_weights("photos"))
        self.val = self._problems("val", size, 1)
        self.test = self._problems("test", size, images)

    def _problems(self, split: str, size: int, images: int) -> list[tuple[Callable[[], Problem], Tensor]]:
        photos = made("dataset", "photos", split=split, size=size, margin=0)
        noise = made("noise", "poisson_gaussian", lam=math.inf, sigma=SIGMA)
        found = []
        for name in list(photos.ids())[:images]:
            exposed = made("operator", "boracchi_foi", length=16).psf(generator("samplers psf", name))
            m = measure(photos.load(name), exposed, noise, generator("samplers", name), "circular")
            truth = torch.as_tensor(m.truth, dtype=torch.float32)
            found.append((partial(self._assembled, m, name), truth))
        return found

    def _assembled(self, m: Any, name: str) -> Problem:
        rng = generator("samplers solver", name)
        return assemble([m], [rng], boundary="circular", prior=partial(Denoiser, self.prior))


def sampled(sampler: Sampler, data: Photographs) -> Sampled:
    """Choose the value on the validation photograph, then restore the test ones."""

    def run(value: float, problem: Callable[[], Problem], truth: Tensor) -> tuple[float, float, int]:
        given = problem()
        out: list[Tensor] = []
        with torch.no_grad():
            spent = cpu_seconds(lambda: out.append(sampler.solve(value, given)))
        return psnr(out[0], truth, 0), spent, given.cost.nfe_forward

    def score(value: float) -> float:
        found = run(value, *data.val[0])[0]
        return found if math.isfinite(found) else -math.inf

    first, *others = sampler.values
    value = max((first, *others), key=score) if others else first
    runs = [run(value, *one) for one in data.test]
    decibels = float(np.mean([r[0] for r in runs]))
    return Sampled(value, decibels, min(r[1] for r in runs), max(r[2] for r in runs))


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One method a row."""
    data = Photographs(options.size, options.images)
    for name, ours, theirs in methods(options.steps, options.tried):
        a, b = sampled(ours, data), sampled(theirs, data)
        yield Row(
            name, a.psnr, b.psnr, a.seconds, b.seconds, b.seconds / a.seconds, a.evaluations, b.evaluations,
            f"{ours.setting} {a.value:g}", f"{theirs.setting} {b.value:g}",
        )  # fmt: skip


def batches(options: argparse.Namespace) -> Iterator[Batched]:
    """The network by batch on one thread, and one image on two."""
    prior = load(find_weights("photos"))
    level = levels(prior.schedule, "uniform", 3)[0]
    for threads, batch in ((1, 1), (1, 4), (1, 16), (2, 1), (2, 16)):
        torch.set_num_threads(threads)
        x = torch.randn(batch, 1, options.size, options.size)
        denoiser = Denoiser(prior, Cost())
        forward = min(_wall(lambda d=denoiser, x=x: d.x0(x, level)) for _ in range(options.repeat + 1))
        both = min(_wall(lambda d=denoiser, x=x: _both(d, x, level)) for _ in range(options.repeat + 1))
        yield Batched(threads, batch, 1e3 * forward / batch, 1e3 * both / batch)
    torch.set_num_threads(1)


def _both(denoiser: Denoiser, x: Tensor, level: Any) -> None:
    with torch.enable_grad():
        inner = x.detach().requires_grad_()
        torch.autograd.grad(denoiser.x0(inner, level).sum(), inner)


def _wall(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    with torch.no_grad():
        call()
    return time.perf_counter() - start


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="network evaluations")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--tried", type=int, default=4, help="values of the tuned setting")
    parser.add_argument("--repeat", type=int, default=3, help="for the network alone")
    return parser


def main() -> None:
    """Print the tables."""
    options = arguments().parse_args()
    torch.set_num_threads(1)
    show(COLUMNS, rows(options))
    show(BATCH_COLUMNS, batches(options))


if __name__ == "__main__":
    main()
