"""Spectral proximal sampler: the data correct x_0 in closed form, given how wrong the denoiser is known to be."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.error_scale import error_scale
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.step import Multistep, ddim
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class Sprox(Solver):
    """Spectral proximal sampler (ours): posterior mean under the denoiser's own error, scaled to the image."""

    #: network evaluations
    steps: int = 50
    #: multiplies the error spectrum: above 1 the data count more, below 1 the prior
    kappa: float = tunable(1.0, low=0.25, high=4.0)
    #: scale the error spectrum to this image at every step, by the residual's likelihood
    adapt: bool = True
    #: ddim: of first order, with fresh noise; dpm: DPM-Solver++(2M), without
    integrator: Literal["ddim", "dpm"] = "ddim"
    #: fresh noise in a step of ddim: 0 none, 1 as much as DDPM, which takes some hundred steps to spread enough
    eta: float = 0.7
    #: σ in [-1, 1] units at which to begin from the Wiener estimate; 0 begins from pure noise
    warm: float = 0.0
    #: noise variance of each pixel, or that of the mean intensity
    photons: Literal["pixel", "mean"] = "pixel"

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "ours; compare Boys et al. 2023 (TMPD), Zhu et al. 2023 (DiffPIR), Lu et al. 2022"

    def __post_init__(self) -> None:
        if self.kappa <= 0:
            raise SettingError(f"sprox: kappa must be positive, got {self.kappa}")

    def solve(self, problem: Problem) -> Tensor:
        """E[x_0 | x_t, y] = x̂_0 + C Aᵀ (A C Aᵀ + Σ)⁻¹ (y - A x̂_0), for x_0 | x_t ~ N(x̂_0, C)."""
        task = Task(problem, self.photons)
        x, steps = begin(task, "logsnr", self.steps, self.warm)
        solver, multiplier = Multistep(), None
        for now, then in steps:
            C = self.kappa * task.prior.error_power(now.sigma, task.shape, task.y)
            x0 = task.x0(x, now)
            residual = task.y - task.A(x0)
            if self.adapt:
                C = error_scale(task, residual, now.sigma) * C
            shift, multiplier = task.shift(residual, C, multiplier)
            x0 = x0 + shift
            if self.integrator == "dpm":
                x = solver.step(x, x0, now, then)
            else:
                x = ddim(x, x0, now, then, self.eta, task.noise())
        return task.estimate(x)
