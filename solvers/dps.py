"""Diffusion posterior sampling: guidance by the gradient of the data misfit through the network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.optim import image_sums
from bench.methods.diffusion.levels import Level
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.step import ddim
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class DPS(Solver):
    """DPS (Chung et al. 2023): ancestral sampling with a gradient step on |y - A x̂_0| through the network."""

    #: network evaluations, each with a backward pass
    steps: int = 1000
    #: step size over the published rule, scaled for image size and number of steps
    scale: float = tunable(1.0, low=0.25, high=4.0)
    #: gaussian: |y - A x̂_0|; poisson: each pixel divided by its noise's standard deviation
    likelihood: Literal["gaussian", "poisson"] = "gaussian"
    #: σ in [-1, 1] units at which to begin from the Wiener estimate; 0 begins from pure noise
    warm: float = 0.0

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Chung, Kim, Mccann, Klasky & Ye 2023, ICLR, Algorithm 1"

    def __post_init__(self) -> None:
        if self.scale < 0:
            raise SettingError(f"dps: scale must be at least 0, got {self.scale}")

    def solve(self, problem: Problem) -> Tensor:
        """Algorithm 1 with ζ_i = ζ' / |y - A x̂_0|, the norm of each image, not of the batch."""
        task = Task(problem, "pixel" if self.likelihood == "poisson" else "mean")
        # ∇|r|²/(2 σ²) = |r|/σ² ∇|r|, and |r| is about σ √m: the step grows as √m / σ. At σ = 0.1, 64 × 64 pixels and
        # 1000 steps it is 0.5, in the published code's range; above twice that it is no longer stable.
        m = task.y[0].numel()
        zeta = self.scale * 0.008 * m**0.5 * 1000 / self.steps * (0.1 / task.sigma).clamp(max=2)
        weight = task.sigma**2 / task.variance
        x, steps = begin(task, "uniform", self.steps, self.warm)
        for now, then in steps:
            x0, gradient = self._guided(task, x, now, weight)
            x = ddim(x, x0, now, then, 1.0, task.noise())
            x = x if then.clean else x - zeta * gradient
        return task.estimate(x)

    @staticmethod
    def _guided(task: Task, x: Tensor, now: Level, weight: Tensor) -> tuple[Tensor, Tensor]:
        """x̂_0 and ∇_x |y - A x̂_0|."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            x0 = task.x0(x, now)
            misfit = image_sums(weight * (task.y - task.A(x0)) ** 2).sqrt()
            (gradient,) = torch.autograd.grad(misfit.sum(), x)
        return x0.detach(), gradient
