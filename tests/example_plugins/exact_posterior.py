"""A sampler that is exact on the Gaussian oracle, and can be spoilt."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from bench import Problem, Solver
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class ExactPosterior(Solver):
    """Perturb and correct: a draw of the prior, moved by the data as Gaussians are."""

    fault: str = ""

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"

    def solve(self, problem: Problem) -> torch.Tensor:
        task = Task(problem)
        C = task.prior.error_power(math.inf, task.shape, task.y)
        if self.fault == "mean of two":
            exact = replace(self, fault="")
            return (exact.solve(problem) + exact.solve(problem)) / 2
        white = torch.fft.rfft2(0 * task.noise() if self.fault == "collapsed" else task.noise())
        noise = task.sigma * task.sensor_noise()
        if self.fault == "sigma":
            noise = noise / 3
        if self.fault == "inflated":  # of the prior's draw and the data's noise alike: the whole posterior spread
            white, noise = math.sqrt(2) * white, math.sqrt(2) * noise
        x = torch.fft.irfft2(white * C.sqrt(), s=task.shape)
        x = x + task.shift(task.y - task.A(x) - noise, C)[0]
        if self.fault == "white":  # the right variance in each pixel, and none of the covariance between them
            C = C * task.sigma[0] ** 2 / (C * task.K.abs() ** 2 + task.sigma[0] ** 2)
            centre = task.wiener()
            sd = torch.fft.irfft2(C.to(torch.complex128), s=task.shape)[..., 0, 0].sqrt()
            x = centre + sd.view(-1, 1, 1, 1) * task.noise()
        if self.fault == "product":
            x = x * (1 + 0.1 * task.noise() * task.noise())
        if self.fault == "batch":
            x = x + 0.01 * (x - x.mean(0))
        if self.fault == "nan":
            x = x / 0
        if self.fault == "other draws":
            x = x + 0.1 * problem.y.new_tensor([g.random() for g in problem.rng]).view(-1, 1, 1, 1)
        return task.estimate(x)
