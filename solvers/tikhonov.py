"""Tikhonov regularisation of the gradient: the smooth classic, in closed form."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.differences import laplacian_spectrum
from bench.methods.classical.gaussian import GaussianModel, canvas
from bench.methods.classical.optim import noise_variance
from bench.methods.classical.padding import crop, pad, sides_for


@dataclass(frozen=True)
class Tikhonov(Solver):
    """Least squares with a squared-gradient penalty: by FFT on padded data, or with unknown boundary."""

    #: mu in |A x - y|^2 / (2 sigma^2) + mu |grad x|^2 / 2: one over the variance expected of a pixel difference
    mu: float = tunable(210.0, low=3.0, high=3000.0)
    #: how a ``valid`` measurement is extended to a periodic one
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"
    #: of a ``valid`` measurement: padded and taken for periodic, or left unknown and solved by conjugate gradients
    boundary: Literal["padded", "unknown"] = "padded"

    family: ClassVar[str] = "filter"
    reference: ClassVar[str] = "Tikhonov & Arsenin 1977, Solutions of Ill-posed Problems"

    def __post_init__(self) -> None:
        if self.mu < 0:
            raise SettingError(f"tikhonov: mu must be at least 0, got {self.mu}")
        if self.boundary == "unknown" and self.mu == 0:
            raise SettingError("tikhonov: mu must be positive with boundary: unknown")

    def solve(self, problem: Problem) -> Tensor:
        """Solves x = (A^T A + lam D^T D)^-1 A^T y with lam = mu sigma^2, A periodic or as far as the sensor saw."""
        if self.boundary == "unknown":
            _, grid = canvas(problem)
            return GaussianModel(problem, self.mu * laplacian_spectrum(grid, like=problem.y)).mean()
        blur = problem.blur
        lam = self.mu * noise_variance(problem)
        sides = sides_for(blur.shape, blur.margin, self.padding)
        y = pad(problem.y, sides, self.padding)
        grid = y.shape[-2], y.shape[-1]
        K = blur.otf(grid)
        X = K.conj() * torch.fft.rfft2(y) / (K.abs() ** 2 + lam * laplacian_spectrum(grid, like=problem.y))
        x = torch.fft.irfft2(X, s=grid)
        return crop(x, sides)
