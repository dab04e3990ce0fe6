"""How fast solvers are on this machine: CPU seconds on one and the same measurement, side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.errors import BenchError, message_of
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement, measure
from bench.methods.make_problem import assemble
from bench.plugins.describe import Kind, Plugin
from bench.plugins.lookup import built_in, find_plugin, load_plugin
from bench.plugins.settings import build
from bench.running.deblur import denoiser_of
from bench.seeds import generator

#: steps of samplers whose steps are not given: their seconds are proportional to them
STEPS = 20
#: solves of a solver at most, the first of which only warms up
REPEAT = 6


@dataclass(frozen=True)
class Timing:
    """What a solver took.

    Attributes:
        solver: its name or path.
        settings: what was set.
        cpu, wall: seconds of the fastest solve; None where it failed.
        psnr: of its estimate, dB.
        evaluations: of a network, forward.
        error: why there are no seconds.
    """

    solver: str
    settings: Mapping[str, Any]
    cpu: float | None = None
    wall: float | None = None
    psnr: float | None = None
    evaluations: int = 0
    error: str = ""


def solvers() -> list[str]:
    """Every built-in solver that restores blurred pictures."""
    return [plugin.name for plugin in built_in("solver") if not plugin.flags.get("denoises")]


def measurement(size: int, boundary: Boundary) -> Measurement:
    """A shipped photograph of ``size`` pixels a side behind camera shake of 16 px, noise of 2 grey levels of 255."""
    photos = _made("dataset", "photos", split="test", size=size, margin=15 if boundary == "valid" else 0)
    shake = _made("operator", "boracchi_foi", length=16, size=31)
    noise = _made("noise", "poisson_gaussian", lam=math.inf, sigma=2.0)
    image = next(iter(photos.ids()))
    return measure(photos.load(image), shake.psf(generator("speed", "psf")), noise, generator("speed"), boundary)


def timings(
    names: Sequence[str], settings: Mapping[str, Any], measured: Measurement, boundary: Boundary, seconds: float
) -> Iterator[Timing]:
    """One solver after the other, each for about ``seconds``, or for one solve where that takes longer.

    Args:
        names: names or paths of solvers.
        settings: for those of them that have a parameter of that name.
    """
    for name in names:
        plugin = find_plugin("solver", name)
        given = {k: v for k, v in settings.items() if k in plugin.parameters or k == "prior"}
        if plugin.flags.get("needs_prior") and "steps" in plugin.parameters:
            given = {"steps": STEPS, **given}
        try:
            yield _timed(name, plugin, given, measured, boundary, seconds)
        except Exception as error:  # a solver may raise anything: the others go on
            yield Timing(name, given, error=message_of(error) if isinstance(error, BenchError) else repr(error))


def _timed(
    name: str, plugin: Plugin, given: dict[str, Any], measured: Measurement, boundary: Boundary, seconds: float
) -> Timing:
    settings = dict(given)
    prior = denoiser_of(plugin, settings)
    solver = build(plugin, load_plugin(plugin), settings)
    best, end = Timing(name, given), time.perf_counter() + seconds
    for solve in range(REPEAT):
        rng = generator("speed", "solver")
        problem = assemble([measured], [rng], boundary=boundary, blind=solver.blind, prior=prior)
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.no_grad():
            x = solver.solve(problem)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if solve <= 1 or best.cpu is None or cpu < best.cpu:  # the first solve warms up: the second replaces it
            best = Timing(name, given, cpu, wall, _psnr(x, measured), problem.cost.nfe_forward)
        if time.perf_counter() > end:
            break
    return best


def _psnr(x: torch.Tensor, measured: Measurement) -> float:
    error = x[0].double().clamp(0, 1) - torch.from_numpy(measured.sharp.copy())
    return float(-10 * error.square().mean().log10())


def _made(kind: Kind, name: str, **settings: Any) -> Any:
    plugin = find_plugin(kind, name)
    return build(plugin, load_plugin(plugin), settings)
