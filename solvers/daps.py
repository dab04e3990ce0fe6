"""Decoupled annealing: solve the flow to x_0, sample x_0 given the data, forget the way, add less noise, repeat."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.levels import CLEAN, Level, at_sigma
from bench.methods.diffusion.step import ddim
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class DAPS(Solver):
    """DAPS (Zhang et al. 2025) with exact Gaussian sampling of x_0 given the data in place of Langevin's chain."""

    #: annealing levels
    steps: int = 50
    #: network evaluations of the flow from each level to x_0
    flow: int = 3
    #: σ of the first and the last level, in [-1, 1] units
    highest: float = 20.0
    lowest: float = 0.02
    #: variance of x_0 given x_t is (spread σ_t)²
    spread: float = tunable(1.0, low=0.25, high=1.0)
    #: noise variance of each pixel, or that of the mean intensity
    photons: Literal["pixel", "mean"] = "mean"

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Zhang, Chu, Berner, Meng, Anandkumar & Song 2025, CVPR, Algorithm 1"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.flow < 1 or not 0 < self.lowest <= self.highest or self.spread <= 0:
            raise SettingError("daps: steps, flow and spread must be positive, and 0 < lowest <= highest")

    def solve(self, problem: Problem) -> Tensor:
        """Algorithm 1; p(x_0 | x_t) ≈ N(x̂_0, r²), so that x_0 given y is Gaussian too and drawn exactly."""
        task = Task(problem, self.photons)
        sigmas = [*self._annealed(), 0.0]
        x0, multiplier = task.y.new_zeros(task.n, task.channels, *task.shape), None
        for sigma, following in pairwise(sigmas):
            now = at_sigma(task.prior.schedule, sigma)
            x0_hat = self._flow(task, now.a * x0 + now.s * task.noise(), now)
            r = self.spread * now.sigma
            # A draw of N(x̂_0, r²), moved by the data of a draw of the noise: exact for Gaussians (perturb and solve).
            x0 = x0_hat + r * task.noise() * (following > 0)
            seen = task.y + task.variance.sqrt() * task.sensor_noise() * (following > 0)
            shift, multiplier = task.shift(seen - task.A(x0), x0.new_full((), r**2), multiplier)
            x0 = x0 + shift
        return task.estimate(x0)

    def _annealed(self) -> list[float]:
        # ρ = 7 of Karras et al. 2022, eq. 5, as the published code has it.
        high, low = self.highest ** (1 / 7), self.lowest ** (1 / 7)
        n = max(1, self.steps - 1)
        return [(high + i / n * (low - high)) ** 7 for i in range(self.steps)]

    def _flow(self, task: Task, x: Tensor, now: Level) -> Tensor:
        """The probability flow from x_t to x_0 in a few steps of DDIM, uniform in log σ."""
        part = [i / self.flow for i in range(self.flow)]
        low = math.log(min(self.lowest, now.sigma))
        between = [at_sigma(task.prior.schedule, math.exp((1 - p) * math.log(now.sigma) + p * low)) for p in part]
        for start, end in zip(between, [*between[1:], CLEAN], strict=True):
            x = ddim(x, task.x0(x, start), start, end)
        return x
