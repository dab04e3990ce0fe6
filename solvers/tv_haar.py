"""Total variation and sparse Haar wavelet details together, by ADMM."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.differences import laplacian_spectrum
from bench.methods.classical.haar import levels_for, padded_shape, prox_details
from bench.methods.classical.optim import GradientSplit, noise_variance, tv_weight
from bench.methods.classical.padding import Sides, crop, pad, sides_for

#: shrinkage threshold lam / rho of the splits D x and W x, for images in [0, 1]
TAU = 1 / 15


@dataclass(frozen=True)
class TVHaar(Solver):
    """Isotropic TV plus L1 of Haar wavelet details by ADMM; unknown boundary on valid data."""

    family: ClassVar[str] = "variational"
    reference: ClassVar[str] = (
        "Afonso, Bioucas-Dias & Figueiredo, IEEE TIP 20(3), 2011, algorithm 2; boundary: Almeida & Figueiredo 2013"
    )

    lam: float = tunable(1.0, low=0.08, high=5.0)  #: weight of TV + haar |W x|_1 over sigma^(3/2)
    haar: float = 0.2  #: weight of the wavelet term relative to TV; 0.1 to 0.5 are alike
    levels: int = 3  #: of the transform, at most; fewer on small images
    steps: int = 100

    def __post_init__(self) -> None:
        if not self.lam > 0 or self.haar < 0 or self.levels < 1 or self.steps < 1:
            raise SettingError(f"tv_haar: lam must be positive, haar >= 0, levels and steps >= 1, got {self}")

    def solve(self, problem: Problem) -> Tensor:
        """min_x |A x - y|^2 / 2 + lam sigma^(3/2) (TV(x) + haar |W x|_1), x periodic on a grid round the scene."""
        blur = problem.blur
        sides = sides_for(blur.shape, blur.margin) if blur.boundary == "valid" else (0, 0, 0, 0)
        x = pad(problem.y, sides, "blend")
        K = blur.otf((x.shape[-2], x.shape[-1]))
        # Penalties: of u1 and u2 rho, of u0 nu (as in tv).
        rho, nu = tv_weight(problem, self.lam) / TAU, 3 * noise_variance(problem).sqrt()
        return crop(self._admm(problem.y, x, K, rho, nu, sides), sides)

    def _admm(self, y: Tensor, x: Tensor, K: Tensor, rho: Tensor, nu: Tensor, sides: Sides) -> Tensor:
        H, W = grid = x.shape[-2], x.shape[-1]
        levels = levels_for(grid, self.levels)
        # Pixels beyond the periodic grid that only W sees: its sides need to be divisible by 2^levels.
        h, w = padded_shape(grid, levels)
        v = pad(x, (0, w - W, 0, h - H), "edge")
        denominator = nu * K.abs() ** 2 + rho * (laplacian_spectrum(grid, like=y) + 1)
        gradient, d0, d2 = GradientSplit(x, TAU), torch.zeros_like(y), torch.zeros_like(v)
        threshold = torch.full_like(rho, self.haar * TAU)
        Kx = torch.fft.irfft2(K * torch.fft.rfft2(x), s=grid)
        for _ in range(self.steps):
            # Each split: u = prox(L x + d), then d <- L x + d - u; the x update needs L^T (u - d).
            seen = crop(Kx, sides) + d0
            d0 = (seen - y) / (1 + nu)  # u0 = seen - d0 is the prox of |u - y|^2 / 2
            crop(Kx, sides).copy_(seen - 2 * d0)  # off the sensor u0 = K x and d0 = 0
            v = v + d2
            u2 = prox_details(v, threshold, levels)  # W^T u2 and W^T d2 suffice, for W is orthonormal
            d2 = v - u2
            v = u2 - d2
            rhs = gradient.update(x) + v[..., :H, :W]
            X = (nu * K.conj() * torch.fft.rfft2(Kx) + rho * torch.fft.rfft2(rhs)) / denominator
            x, Kx = torch.fft.irfft2(X, s=grid), torch.fft.irfft2(K * X, s=grid)
            v = torch.cat([torch.cat([x, v[..., :H, W:]], -1), v[..., H:, :]], -2)
        return x
