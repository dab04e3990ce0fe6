"""Denoising of organ CT with a VP-SDE as a course project did it, in the two forms that it states."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.diffusion.levels import Level, at_sigma, levels
from bench.methods.diffusion.schedule import Schedule
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class VpsdeDenoise(Solver):
    """VP-SDE denoising with y mixed into every x_t (identity operator); either form loses to tstar_denoise."""

    #: network evaluations
    steps: int = 1000
    #: code: λ x_t + λ y; text: (1 - λ) x_t + λ y
    form: Literal["code", "text"] = "text"
    #: noise levels to visit: those of the prior's own steps, or of the cosine schedule of the slides, as far as the
    #: prior knows them
    schedule: Literal["prior", "cosine"] = "prior"

    stochastic: ClassVar[bool] = True
    denoises: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Chaurasia, Generative Denoising for Medical Image Reconstruction, slides"

    def solve(self, problem: Problem) -> Tensor:
        """λ_t = s_t² / (s_t² + σ_y²) mixes y in; then Tweedie's x̂_0, noised anew to the next level."""
        task = Task(problem, "mean")
        if problem.psf.shape[-2:] != (1, 1):
            raise SettingError("vpsde_denoise removes noise alone: use the operator identity")
        visited = self._visited(task.prior.schedule)
        y = task.mirrored()
        x = task.noise()
        x0 = torch.zeros_like(x)
        for now, then in zip(visited, [*visited[1:], None], strict=True):
            lam = now.s**2 / (now.s**2 + task.sigma**2)
            x = (lam if self.form == "code" else 1 - lam) * x + lam * y
            x0 = task.x0(x, now).clamp(-1, 1)
            if then is not None:
                x = then.a * x0 + then.s * task.noise()
        return task.estimate(x0)

    def _visited(self, own: Schedule) -> list[Level]:
        if self.schedule == "prior":
            return levels(own, "uniform", self.steps)
        return [at_sigma(own, level.sigma) for level in levels(Schedule.make("cosine"), "uniform", self.steps)]
