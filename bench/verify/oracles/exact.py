"""The exact sampler: the posterior's own score, integrated with a given number of evaluations.

What a sampler with N evaluations misses beyond these figures is its own; what it shares with them is the price of N.
Mean and variance of each frequency are carried through the chain, so that nothing is drawn.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from bench.methods.diffusion.levels import CLEAN, Level, Spacing, levels
from bench.methods.diffusion.schedule import Schedule
from bench.verify.oracles.gaussian import Scene
from bench.verify.oracles.moments import Moments

Integrator = Literal["ancestral", "ddim", "dpm"]
INTEGRATORS: tuple[Integrator, ...] = ("dpm", "ddim", "ancestral")


def moments(scene: Scene, schedule: Schedule, n: int, integrator: Integrator, spacing: Spacing) -> Moments:
    """Moments of the chain that starts from pure noise and uses E[x_0 | x_t, y], n times."""
    steps = list(pairwise([*levels(schedule, spacing, n), CLEAN]))
    # x = response * (initial noise) + mean + independent noise of spectrum `fresh`
    response = torch.full(scene.shape, steps[0][0].s, dtype=torch.float64)
    mean, fresh = torch.zeros_like(scene.K), torch.zeros_like(response)
    older: tuple[Level, Tensor, Tensor] | None = None
    for now, then in steps:
        gain, offset = denoiser(scene, now)
        r0, m0 = gain * response, gain * mean + offset
        keep, take, spread = _coefficients(now, then, integrator)
        r, m = _extrapolated(older, now, then, r0, m0) if integrator == "dpm" else (r0, m0)
        fresh = (keep + take * gain) ** 2 * fresh + spread**2
        response, mean = keep * response + take * r, keep * mean + take * m
        older = now, r0, m0
    return Moments(torch.fft.ifft2(mean).real, response**2 + fresh)


def denoiser(scene: Scene, now: Level) -> tuple[Tensor, Tensor]:
    """E[x_0 | x_t, y] = gain x_t + offset in each frequency (H, W): both measurements weighted by their precision."""
    precision = 1 / scene.S + scene.K.abs() ** 2 / scene.sigma**2 + (now.a / now.s) ** 2
    seen = scene.K.conj() * torch.fft.fft2(scene.y) / scene.sigma**2
    return now.a / now.s**2 / precision, seen / precision


def _coefficients(now: Level, then: Level, integrator: Integrator) -> tuple[float, float, float]:
    """keep, take and spread of x_s = keep x_t + take x_0 + spread n."""
    if integrator == "ancestral" and not then.clean:
        # q(x_s | x_t, x_0): Ho et al. 2020, eq. 7, for any two levels
        step = (now.a / then.a) ** 2
        keep = math.sqrt(step) * then.s**2 / now.s**2
        return keep, then.a * (1 - step) / now.s**2, then.s / now.s * math.sqrt(1 - step)
    return then.s / now.s, then.a - then.s / now.s * now.a, 0.0


def _extrapolated(
    older: tuple[Level, Tensor, Tensor] | None, now: Level, then: Level, r: Tensor, m: Tensor
) -> tuple[Tensor, Tensor]:
    """The x_0 that a second-order step uses: the line through the last two, half a step ahead in log-SNR."""
    if older is None or then.clean:
        return r, m
    before, r_before, m_before = older
    ahead = 0.5 * math.log(now.sigma / then.sigma) / math.log(before.sigma / now.sigma)
    return r + ahead * (r - r_before), m + ahead * (m - m_before)
