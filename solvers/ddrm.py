"""Denoising diffusion restoration: each singular value of the blur at its own noise level."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.levels import CLEAN, Level, levels
from bench.methods.diffusion.task import Task
from bench.methods.diffusion.torus import on_torus


@dataclass(frozen=True)
class DDRM(Solver):
    """DDRM (Kawar et al. 2022) with the Fourier transform as SVD; valid data are first extended to a torus."""

    #: network evaluations
    steps: int = 20
    #: share of the noise that carries over from step to step where the data say nothing (or little): 1 - η²
    eta: float = tunable(0.85, low=0.5, high=1.0, log=False, least=0.0, most=1.0)
    #: weight of the data where they say enough
    eta_b: float = 1.0
    #: how a ``valid`` measurement is extended to a periodic one
    padding: Literal["zero", "mean", "edge", "reflect", "blend"] = "blend"

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Kawar, Elad, Ermon & Song 2022, NeurIPS, eq. 7 and 8"

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1 or not 0 <= self.eta_b <= 1:
            raise SettingError(f"ddrm: eta and eta_b lie in [0, 1], got {self.eta} and {self.eta_b}")

    def solve(self, problem: Problem) -> Tensor:
        """Eq. 7 and 8 on x̄_t = x_t / a_t, whose noise is σ_t; singular values |k|, ȳ = F(y) / k."""
        periodic, crop = on_torus(problem, self.padding)
        task = Task(periodic, "mean")
        s = task.K.abs()
        # Below 1e-6 a singular value counts as zero: its ȳ would be noise alone at any σ_t.
        inverse = torch.where(s > 1e-6, 1 / s.clamp(min=1e-6), torch.inf)
        noise_y = task.sigma * inverse  # σ_y / s, infinite where nothing is seen
        y_bar = torch.fft.rfft2(task.y) / torch.where(s > 1e-6, task.K, 1)
        visited = [*levels(task.prior.schedule, "uniform", self.steps), CLEAN]
        x = self._begin(task, visited[0].sigma, y_bar, noise_y)
        for now, then in pairwise(visited):
            x0 = task.x0(now.a * x, now)
            x = x0 if then.clean else self._step(task, x, x0, now, then, y_bar, noise_y)
        return crop(task.estimate(x))

    @staticmethod
    def _begin(task: Task, sigma: float, y_bar: Tensor, noise_y: Tensor) -> Tensor:
        seen = noise_y <= sigma
        mean = torch.where(seen, y_bar, 0)
        spread = torch.where(seen, (sigma**2 - noise_y.clamp(max=sigma) ** 2).sqrt(), sigma)
        return torch.fft.irfft2(mean + spread * torch.fft.rfft2(task.noise()), s=task.shape)

    def _step(
        self, task: Task, x: Tensor, x0: Tensor, now: Level, then: Level, y_bar: Tensor, noise_y: Tensor
    ) -> Tensor:
        X, X0 = torch.fft.rfft2(x), torch.fft.rfft2(x0)
        sigma, keep = then.sigma, (1 - self.eta**2) ** 0.5
        seen, unseen = noise_y <= sigma, torch.isinf(noise_y)
        finite = noise_y.clamp(max=torch.finfo(x.dtype).max)
        mean = torch.where(
            seen,
            (1 - self.eta_b) * X0 + self.eta_b * y_bar,
            X0 + keep * sigma * torch.where(unseen, (X - X0) / now.sigma, (y_bar - X0) / finite),
        )
        left = sigma**2 - self.eta_b**2 * noise_y.clamp(max=sigma) ** 2
        spread = torch.where(seen, left.clamp(min=0).sqrt(), self.eta * sigma)
        return torch.fft.irfft2(mean + spread * torch.fft.rfft2(task.noise()), s=task.shape)
