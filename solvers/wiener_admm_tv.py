"""Anisotropic total variation by ADMM on a periodic image: the Wiener filter's iterated, regularised form."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.differences import difference_adjoint, differences, laplacian_spectrum
from bench.methods.classical.optim import soft_threshold, tv_weight
from bench.methods.classical.padding import crop, pad, sides_for

#: kappa = lam / rho below, for images in [0, 1]: gradients shorter than this are shrunk to zero
KAPPA = 1 / 15


@dataclass(frozen=True)
class WienerAdmmTV(Solver):
    """Wiener-like filter iterated by ADMM with anisotropic TV, periodic: the textbook form, on padded data."""

    family: ClassVar[str] = "variational"
    reference: ClassVar[str] = (
        "Wetzstein, Stanford EE 367 / CS 448I, lecture 6 notes: Image Deconvolution (with ADMM)"
    )

    lam: float = tunable(1.0, low=0.08, high=5.0)  #: weight of |D x|_1 over sigma^(3/2)
    steps: int = 75
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"  #: of data that are not circular

    def __post_init__(self) -> None:
        if not self.lam > 0 or self.steps < 1:
            raise SettingError(
                f"wiener_admm_tv: lam must be positive, steps >= 1, got lam={self.lam}, steps={self.steps}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """min_x |c * x - b|^2 / 2 + lam sigma^(3/2) |z|_1 subject to D x = z, c * x circular."""
        blur = problem.blur
        padded = blur.boundary == "valid" and self.padding != "none"
        sides = sides_for(blur.shape, blur.margin) if padded else (0, 0, 0, 0)
        b = pad(problem.y, sides, self.padding)
        grid = b.shape[-2], b.shape[-1]
        rho = tv_weight(problem, self.lam) / KAPPA
        C = blur.otf(grid)
        denominator = C.abs() ** 2 + rho * laplacian_spectrum(grid, like=b)
        numerator = C.conj() * torch.fft.rfft2(b)
        x, u = b, torch.zeros_like(differences(b))
        for _ in range(self.steps):
            Dx = differences(x)
            z = soft_threshold(Dx + u, KAPPA)
            u = u + Dx - z
            X = (numerator + rho * torch.fft.rfft2(difference_adjoint(z - u))) / denominator
            x = torch.fft.irfft2(X, s=grid)
        return crop(x, sides)
