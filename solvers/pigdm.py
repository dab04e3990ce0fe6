"""Pseudoinverse-guided diffusion: the likelihood of x_t under a Gaussian x_0 | x_t, through the network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.levels import Level
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.step import ddim
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class PiGDM(Solver):
    """PiGDM (Song et al. 2023) for noisy data, the guidance written as a score, so that steps do not change it."""

    #: network evaluations, each with a backward pass
    steps: int = 100
    #: multiplies the guidance
    weight: float = tunable(1.0, low=0.5, high=2.0)
    #: r², the variance of x_0 given x_t: 1 - ᾱ as published, the denoiser's measured one, or the larger of both in
    #: each frequency
    variance: Literal["bounded", "published", "measured"] = "bounded"
    #: σ in [-1, 1] units at which to begin from the Wiener estimate; 0 begins from pure noise
    warm: float = 0.0

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Song, Vahdat, Mardani & Kautz 2023, ICLR, eq. 7"

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise SettingError(f"pigdm: weight must be at least 0, got {self.weight}")

    def solve(self, problem: Problem) -> Tensor:
        """g = Jᵀ Aᵀ (r² A Aᵀ + Σ)⁻¹ (y - A x̂_0), the score of y given x_t; x_0 moves by s²/a g (Tweedie)."""
        task = Task(problem, "mean")
        x, steps = begin(task, "uniform", self.steps, self.warm)
        multiplier = None
        for now, then in steps:
            x0, g, multiplier = self._guided(task, x, now, multiplier)
            x0 = x0 + self.weight * now.s**2 / now.a * g
            x = ddim(x, x0, now, then, 1.0, task.noise())
        return task.estimate(x)

    def _guided(self, task: Task, x: Tensor, now: Level, start: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0 = task.x0(x, now)
            residual = (task.y - task.A(x0)).detach()
            multiplier = task.solve(residual, self._variance(task, now), start)
            (g,) = torch.autograd.grad(x0, x, task.At(multiplier))
        return x0.detach(), g, multiplier

    def _variance(self, task: Task, now: Level) -> Tensor:
        """r²: a number, or a power spectrum.

        1 - ᾱ is that of a prior of unit variance. Where images have the power S, x_0 given x_t has the variance
        v = s² S / (a² S + s²), and x̂_0 moves v |k|² / (r² |k|² + σ²) of the way to the data: with r² = s² up to S
        times too far. In few steps that is an explicit step beyond its stability; r² >= v never passes the data.
        """
        published = task.y.new_full((), now.s**2)
        if self.variance == "published":
            return published
        measured = task.prior.error_power(now.sigma, task.shape, task.y)
        return measured if self.variance == "measured" else torch.maximum(measured, published)
