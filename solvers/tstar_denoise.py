"""Denoising at the step whose noise is the measurement's: the posterior mean in one evaluation."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.diffusion.levels import CLEAN, levels
from bench.methods.diffusion.step import ddim
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class TstarDenoise(Solver):
    """Denoise in one evaluation at the step t* with s/a = σ_y, or sample by the reverse SDE from there (identity)."""

    #: evaluations of the reverse SDE from t* on, which gives a posterior sample; 0 gives the posterior mean
    sample: int = 0

    stochastic: ClassVar[bool] = True
    denoises: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Vincent 2011 (Tweedie's formula); Song et al. 2021, the SDE run from an inner time"

    def __post_init__(self) -> None:
        if self.sample < 0:
            raise SettingError(f"tstar_denoise: sample must be at least 0, got {self.sample}")

    def solve(self, problem: Problem) -> Tensor:
        """y = x + σ_y n is x_t / a_t at t*: nothing is approximated but the network."""
        task = Task(problem, "mean")
        if problem.psf.shape[-2:] != (1, 1):
            raise SettingError("tstar_denoise removes noise alone: use the operator identity")
        if not self.sample:
            return task.estimate(task.denoised(task.y, task.sigma.flatten().tolist()))
        y = task.mirrored()
        noise = [task.noise() for _ in range(self.sample)]  # drawn for all images at once, whatever their t*
        return task.estimate(torch.cat([self._sampled(task, y, i, noise) for i in range(task.n)]))

    def _sampled(self, task: Task, y: Tensor, i: int, noise: list[Tensor]) -> Tensor:
        visited = levels(task.prior.schedule, "logsnr", self.sample, highest=float(task.sigma[i]))
        x = visited[0].a * y[i : i + 1]
        for (now, then), n in zip(pairwise([*visited, CLEAN]), noise, strict=True):
            x = ddim(x, task.x0(x, now), now, then, 1.0, n[i : i + 1])
        return x
