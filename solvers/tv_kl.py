"""Total variation under Poisson noise with read noise: the Kullback-Leibler counterpart of ``tv``."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.differences import laplacian_spectrum
from bench.methods.classical.optim import GradientSplit, noise_variance, prox_poisson_gaussian, tv_weight
from bench.methods.classical.padding import pad, sides_for

TAU = 1 / 15
RELAXATION = 1.8


@dataclass(frozen=True)
class TVKL(Solver):
    """Total variation with the Poisson (shifted by the read noise) likelihood, by ADMM; unknown boundary on valid."""

    #: weight of TV over sigma^(3/2), sigma^2 the mean noise variance: the scale of ``tv``
    lam: float = tunable(1.2, low=0.08, high=5.0)
    #: iterations
    steps: int = 100

    reference: ClassVar[str] = "Figueiredo & Bioucas-Dias 2010 (PIDAL), IEEE TIP 19(12); Almeida & Figueiredo 2013"

    def __post_init__(self) -> None:
        if self.lam <= 0:
            raise SettingError(f"tv_kl: lam must be positive, got {self.lam}")
        if self.steps < 1:
            raise SettingError(f"tv_kl: steps must be at least 1, got {self.steps}")

    def solve(self, problem: Problem) -> Tensor:
        """min_x -V log p(y | M K x) + lam V^(3/4) TV(x), x >= 0, V the mean noise variance.

        PIDAL's three splits: u0 = K x, u1 = D x, u2 = x; M keeps what the sensor saw of the periodic grid.
        """
        y, blur = problem.y, problem.blur
        sides = left, _, top, _ = sides_for(blur.shape, blur.margin)
        x = pad(y, sides, "blend")
        grid = x.shape[-2], x.shape[-1]
        sensor = (..., slice(top, top + y.shape[-2]), slice(left, left + y.shape[-1]))

        V = noise_variance(problem)
        gain, sigma = (level.view(-1, 1, 1, 1) for level in problem.noise)
        sigma = torch.where((gain > 0) | (sigma > 0), sigma, V.sqrt())
        rho = tv_weight(problem, self.lam) / TAU
        nu = 3 * V.sqrt()
        K = blur.otf(grid)
        denominator = nu * K.abs() ** 2 + rho * laplacian_spectrum(grid, like=y) + nu

        gradient = GradientSplit(x, TAU, RELAXATION)
        Kx = torch.fft.irfft2(K * torch.fft.rfft2(x), s=grid)
        v0, d0, v2, d2 = Kx.clone(), torch.zeros_like(x), x.clone(), torch.zeros_like(x)
        for _ in range(self.steps):
            v0.lerp_(Kx + d0, RELAXATION)
            d0[sensor] = v0[sensor] - prox_poisson_gaussian(v0[sensor], y, gain, sigma, nu / V)
            v2.lerp_(x + d2, RELAXATION)
            d2 = v2.clamp(max=0)
            right = rho * gradient.update(x) + nu * (v2 - 2 * d2)
            X = (nu * K.conj() * torch.fft.rfft2(v0 - 2 * d0) + torch.fft.rfft2(right)) / denominator
            x = torch.fft.irfft2(X, s=grid)
            Kx = torch.fft.irfft2(X * K, s=grid)
        return x[sensor]
