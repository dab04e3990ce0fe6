"""The noise levels that a sampler visits."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bench.errors import SettingError
from bench.methods.diffusion.schedule import Schedule

Spacing = Literal["uniform", "quad", "diffpir", "logsnr"]

#: Where samplers stop by default: a noise of 0.002 in [-1, 1], a quarter of a grey level of 255.
LOWEST = 0.002


class Level(NamedTuple):
    """x_t = a x_0 + s ε at step t: a² = ᾱ, s² = 1 - ᾱ."""

    t: float
    a: float
    s: float

    @property
    def clean(self) -> bool:
        """Whether no noise is left."""
        return self.s == 0

    @property
    def sigma(self) -> float:
        """s / a: standard deviation of the noise that x_t / a carries, in [-1, 1] units."""
        return self.s / self.a


CLEAN = Level(0.0, 1.0, 0.0)


def level(schedule: Schedule, t: float) -> Level:
    """The level at real step t."""
    return _at(schedule, torch.tensor([t], dtype=torch.float64))[0]


def _at(schedule: Schedule, times: Tensor) -> list[Level]:
    """The levels at real steps (n,), float64."""
    a, s = schedule.scales(times)
    return [Level(*each) for each in zip(times.tolist(), a.tolist(), s.tolist(), strict=True)]


def at_sigma(schedule: Schedule, sigma: float) -> Level:
    """The level of that noise-to-signal ratio, clamped to the schedule's ends."""
    return level(schedule, float(schedule.time(torch.tensor(sigma, dtype=torch.float64))))


def levels(schedule: Schedule, spacing: Spacing, n: int, highest: float = math.inf) -> list[Level]:
    """n levels from the noisiest to the cleanest.

    Args:
        schedule: noise schedule.
        spacing: "uniform" in t; "quad", uniform in √t; "diffpir", uniform in (N - t)², in whole steps (the code of
            Zhu et al. 2023); both are dense at low noise. "logsnr", uniform in log σ.
        n: number of levels, at least 1: network evaluations of a sampler that calls once per level.
        highest: σ to begin at instead of the schedule's last (a warm start).

    Raises SettingError for n < 1.
    """
    if n < 1:
        raise SettingError(f"steps must be at least 1, got {n}")
    top = at_sigma(schedule, highest).t if math.isfinite(highest) else len(schedule) - 1.0
    if spacing == "logsnr":
        ends = [at_sigma(schedule, LOWEST), level(schedule, top)]
        low, high = (math.log(e.sigma) for e in ends)
        logs = torch.linspace(high, low, n, dtype=torch.float64).tolist()
        return _at(schedule, schedule.time(torch.tensor([math.exp(v) for v in logs], dtype=torch.float64)))
    part = torch.linspace(1, 0, n, dtype=torch.float64)
    if spacing == "diffpir":
        # t_i = N - 1 - ⌊N √(i / (n - 1))⌋; theirs moves the last, -1, to 0.
        passed = ((top + 1) * torch.linspace(0, 1, n, dtype=torch.float64).sqrt()).floor()
        return _at(schedule, (top - passed).clamp(min=0))
    return _at(schedule, top * (part**2 if spacing == "quad" else part))
