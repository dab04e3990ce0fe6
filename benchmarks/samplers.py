"""Diffusion samplers: beside deepinv's, and what they cost around their network.

One thread, camera shake of length 16, noise sigma = 4/255, the shipped ``photos`` prior. All on the CPU:
channels_last, torch.compile and bfloat16, which may pay on a GPU, are not measured.

Beside deepinv's: the same network, number of evaluations and measurements: four photographs, periodic data (deepinv's
DDRM needs an operator with a singular value decomposition, its BlurFFT). The one setting of each sampler that weighs
the data is chosen among equally many values on a validation photograph; seconds do not depend on it.

Around the network: one photograph, ``valid`` and periodic boundary; CPU seconds in all, and in the network's forward
and backward passes. The share is the smallest of the repeats. The network is timed in the very calls that the sampler
makes, the backward passes by hooks at both ends of them.

The network in batches: wall milliseconds of the network alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from clock import cpu_seconds
from deepinv.physics import BlurFFT, GaussianNoise
from deepinv.sampling import DDRM
from scene import made, psnr
from tables import Row
from torch import Tensor

from bench.contracts import Cost
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement, measure
from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.diffusion.levels import Level, levels
from bench.methods.libraries.deepinv_prior import DeepinvPrior
from bench.methods.make_problem import assemble
from bench.methods.networks.weights import load
from bench.methods.problem import Problem
from bench.plugins.lookup import built_in, load_plugin
from bench.plugins.weights import find_weights
from bench.seeds import generator

SIGMA = 4.0


class Photograph:
    """A photograph of a split behind camera shake; its problem is made anew for every solve."""

    def __init__(self, prior: PriorModel, split: str, size: int, number: int = 0, boundary: Boundary = "circular"):
        self.prior: PriorModel = prior
        self.boundary: Boundary = boundary
        photos = made("dataset", "photos", split=split, size=size, margin=24 if boundary == "valid" else 0)
        self.name = list(photos.ids())[number]
        exposed = made("operator", "boracchi_foi", length=16).psf(generator("samplers psf", self.name))
        noise = made("noise", "poisson_gaussian", lam=math.inf, sigma=SIGMA)
        rng = generator("samplers", self.name)
        self.measurement: Measurement = measure(photos.load(self.name), exposed, noise, rng, boundary)

    def problem(self, denoiser: Callable[..., Denoiser] = Denoiser) -> Problem:
        """With its own keyed random numbers."""
        rng, prior = generator("samplers solver", self.name), partial(denoiser, self.prior)
        return assemble([self.measurement], [rng], boundary=self.boundary, prior=prior)

    def psnr(self, x: Tensor) -> float:
        """Of an estimate, dB."""
        return psnr(x, torch.as_tensor(self.measurement.truth, dtype=torch.float32), 0)


# --- beside deepinv's -----------------------------------------------------------------------------------------


class Sampler(NamedTuple):
    """Something that samples, by the setting that weighs the data."""

    setting: str
    values: tuple[float, ...]
    solve: Callable[[float, Problem], Tensor]


class Sampled(NamedTuple):
    """What a sampler came to at its best value: mean PSNR of single samples (dB), CPU seconds an image."""

    value: float
    psnr: float
    seconds: float
    evaluations: int


def beside(steps: int = 100, images: int = 4, size: int = 64, tried: int = 4) -> Iterator[Row]:
    """One method a row: ``steps`` evaluations, ``tried`` values of the setting."""
    prior = load(find_weights("photos"))
    val, *test = [Photograph(prior, s, size, i) for s, i in (("val", 0), *(("test", i) for i in range(images)))]
    for name, ours, theirs in methods(steps, tried):
        a, b = sampled(ours, val, test), sampled(theirs, val, test)
        yield {
            "method": name, "ours, PSNR (dB)": a.psnr, "deepinv, PSNR (dB)": b.psnr, "ours, CPU s": a.seconds,
            "deepinv, CPU s": b.seconds, "times faster": b.seconds / a.seconds, "evaluations, ours": a.evaluations,
            "evaluations, deepinv": b.evaluations, "setting, ours": f"{ours.setting} {a.value:g}",
            "setting, deepinv": f"{theirs.setting} {b.value:g}",
        }  # fmt: skip


def methods(steps: int, tried: int) -> list[tuple[str, Sampler, Sampler]]:
    """Ours and deepinv's. deepinv's DPS counts time steps, of which the last is no evaluation."""

    def shipped(name: str, setting: str, values: tuple[float, ...], steps: int = steps) -> Sampler:
        return Sampler(
            setting, values[:tried], lambda v, p: made("solver", name, steps=steps, **{setting: v}).solve(p)
        )

    etas = (0.85, 1.0, 0.7, 0.5)
    return [
        (
            "DPS",
            shipped("dps", "scale", (1.0, 0.5, 2.0, 0.25)),
            shipped("deepinv_dps", "weight", (100.0, 1.0, 30.0, 300.0), steps + 1),
        ),
        (
            "DiffPIR",
            shipped("diffpir", "lam", (1.75, 0.875, 3.5, 7.0)),
            shipped("deepinv_diffpir", "lam", (7.0, 3.5, 14.0, 28.0)),
        ),
        ("DDRM", shipped("ddrm", "eta", etas), Sampler("eta", etas[:tried], partial(deepinv_ddrm, steps))),
    ]


def deepinv_ddrm(steps: int, eta: float, given: Problem) -> Tensor:
    """deepinv's DDRM on its BlurFFT, in float32; its noise levels fall linearly from 1 to almost 0."""
    physics = BlurFFT(img_size=tuple(given.y.shape[1:]), filter=given.psf)
    physics.noise_model = GaussianNoise(float(given.noise.sigma[0]))
    prior = DeepinvPrior(given.prior, given.y.dtype, given.y.device)
    # [0, 1] units. It ends at 0, where the network knows no level; a thousandth of the first stands for that.
    model = DDRM(prior, sigmas=np.linspace(1, 1e-3, steps), eta=eta)
    with torch.random.fork_rng(devices=[]):
        return model(given.y, physics, seed=1 + int(given.rng[0].integers(2**31)))


def sampled(sampler: Sampler, val: Photograph, test: Sequence[Photograph]) -> Sampled:
    """Choose the value on the validation photograph, then restore the test ones."""

    def run(value: float, photograph: Photograph) -> tuple[float, float, int]:
        given, out = photograph.problem(), list[Tensor]()
        with torch.no_grad():
            spent = cpu_seconds(lambda: out.append(sampler.solve(value, given)))
        return photograph.psnr(out[0]), spent, given.cost.nfe_forward

    def score(value: float) -> float:
        decibels = run(value, val)[0]
        return decibels if math.isfinite(decibels) else -math.inf

    value = max(sampler.values, key=score)
    decibels, seconds, evaluations = zip(*(run(value, photograph) for photograph in test), strict=True)
    return Sampled(value, float(np.mean(decibels)), min(seconds), max(evaluations))


# --- around the network ---------------------------------------------------------------------------------------


@dataclass
class Clock:
    """CPU seconds spent inside the network."""

    seconds: float = 0.0
    since: float = 0.0

    def start(self, *_: object) -> None:
        """The network begins to work."""
        self.since = time.process_time()

    def stop(self, *_: object) -> None:
        """The network is done."""
        self.seconds += time.process_time() - self.since


class Timed(Denoiser):
    """A denoiser that is on the clock, forwards and backwards."""

    def __init__(self, clock: Clock, prior: PriorModel, cost: Cost):
        super().__init__(prior, cost)
        self.clock = clock

    def x0(self, x: Tensor, level: Level | Sequence[Level]) -> Tensor:
        """See ``Denoiser.x0``."""
        self.clock.start()
        inner = x.view_as(x) if x.requires_grad else x
        if inner.requires_grad:
            inner.register_hook(self.clock.stop)
        out = super().x0(inner, level)
        self.clock.stop()
        if out.requires_grad:
            out.register_hook(self.clock.start)
        return out


def overhead(steps: int = 20, repeat: int = 3, size: int = 64) -> Iterator[Row]:
    """Every built-in solver that needs a prior and restores blurred images, on both boundaries."""
    prior = load(find_weights("photos"))
    boundaries: tuple[Boundary, ...] = ("valid", "circular")
    for boundary in boundaries:
        photograph = Photograph(prior, "test", size, boundary=boundary)
        for plugin in built_in("solver"):
            if plugin.flags.get("needs_prior") and "denoise" not in plugin.name:
                settings = {"steps": steps} if "steps" in plugin.parameters else {}
                solver = load_plugin(plugin)(**settings)
                share(solver, photograph)  # warm up
                total, network = min((share(solver, photograph) for _ in range(repeat)), key=lambda s: s[0] / s[1])
                yield {"boundary": boundary, "sampler": plugin.name, "CPU s": total, "in the network": network,
                       "around it (%)": 100 * (total / network - 1)}  # fmt: skip


def share(solver: Any, photograph: Photograph) -> tuple[float, float]:
    """CPU seconds of one solve, and of the network within it."""
    clock = Clock()
    problem = photograph.problem(partial(Timed, clock))
    with torch.no_grad():
        return cpu_seconds(lambda: solver.solve(problem)), clock.seconds


# --- the network alone ----------------------------------------------------------------------------------------


def batches(size: int = 64, repeat: int = 3) -> Iterator[Row]:
    """The network by batch on one thread, and on two."""
    prior = load(find_weights("photos"))
    level = levels(prior.schedule, "uniform", 3)[0]
    for threads, batch in ((1, 1), (1, 4), (1, 16), (2, 1), (2, 16)):
        torch.set_num_threads(threads)
        calls = [partial(call, Denoiser(prior, Cost()), torch.randn(batch, 1, size, size), level)
                 for call in (_forward, _both)]  # fmt: skip
        forward, both = (1e3 / batch * min(_wall(call) for _ in range(repeat + 1)) for call in calls)
        yield {"threads": threads, "batch": batch, "forward, wall ms an image": forward,
               "forward and backward, wall ms an image": both}  # fmt: skip
    torch.set_num_threads(1)


def _forward(denoiser: Denoiser, x: Tensor, level: Level) -> None:
    with torch.no_grad():
        denoiser.x0(x, level)


def _both(denoiser: Denoiser, x: Tensor, level: Level) -> None:
    inner = x.detach().requires_grad_()
    torch.autograd.grad(denoiser.x0(inner, level).sum(), inner)


def _wall(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
