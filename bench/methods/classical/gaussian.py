"""Pictures as a stationary Gaussian field of which the sensor sees a part: the posterior's mean and samples."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.errors import SettingError
from bench.imaging.blur import convolve, otf
from bench.methods.classical.conjugate_gradients import conjugate_gradients
from bench.methods.classical.optim import noise_variance
from bench.methods.classical.padding import crop, pad, sides_for
from bench.methods.classical.spectra import SpectralPrior, inverse_prior, prior_scale
from bench.methods.problem import Problem

#: residual of the data's system, relative to its right-hand side: tighter ones change no estimate by 0.001 dB
TOLERANCE = 1e-5
MOST = 500  # iterations; 30 to 150 are needed


class GaussianModel:
    """y = A x + n with x ~ N(m, C), n ~ N(0, σ² I), and x on a periodic canvas that holds the scene.

    A blurs the canvas and crops it to the sensor, so that nothing is assumed about the outside but the prior. C has
    the power spectrum 1 / P; P(0) = 0 stands for an unknown mean: m is the mean of y, and S(0) the largest of the
    others, so that circular data give conj(K) Y / (|K|² + σ² P) exactly. All is computed in float64.

    Args:
        problem: with blur and noise level.
        P: inverse power spectrum (..., h, w // 2 + 1) on ``canvas(problem)``, positive but at 0.
        balance: positive factor of σ².
    """

    def __init__(self, problem: Problem, P: Tensor, balance: float = 1.0) -> None:
        if balance <= 0 or not bool((P.flatten(-2)[..., 1:] > 0).all()):
            raise SettingError("boundary: unknown needs a positive weight of the prior")
        self.problem, self.y = problem, problem.y.double()
        self.sides, grid = canvas(problem)
        self.K = otf(problem.psf.double(), grid)
        P = P.double().clone()
        P[..., 0, 0] = P.flatten(-2)[..., 1:].amin(-1)
        self.S = 1 / P
        self.variance = balance * noise_variance(problem).double()
        self.m = torch.stack([image.mean((-2, -1), keepdim=True) for image in self.y])

    @classmethod
    def fitted(
        cls, problem: Problem, prior: SpectralPrior, balance: float = 1.0, scale: float = 1.0
    ) -> GaussianModel:
        """The prior of the Wiener filter: a form of spectrum whose scale is the likeliest one for the padded data."""
        sides, grid = canvas(problem)
        Y = torch.fft.rfft2(pad(problem.y.double(), sides, "blend"))
        K, P = otf(problem.psf.double(), grid), inverse_prior(prior, grid, like=Y.real)
        s = prior_scale(Y, K.abs() ** 2, P, noise_variance(problem).double(), grid)
        return cls(problem, P / (scale * s), balance)

    def mean(self) -> Tensor:
        """E[x | y] where the sensor saw it, (B, C, H, W)."""
        return self._conditioned(self.m.expand(*self.y.shape[:2], *self._grid), self.y)

    def draw(self) -> Tensor:
        """An exact sample of x given y, where the sensor saw it, by perturbing and solving.

        A draw (x, n) of the prior is moved by what its data A x + n lack of y: E[x | y] + x - E[x | A x + n], which
        has the posterior's mean and covariance (Papandreou & Yuille 2010; Hoffman & Ribak 1991).
        """
        C = self.y.shape[1]
        noise = self.problem.randn(C, *self._grid).double()
        x = self.m + convolve(noise, self.S.sqrt())
        n = self.variance.sqrt() * self.problem.randn(*self.y.shape[1:]).double()
        return self._conditioned(x, self.y - n)

    @property
    def _grid(self) -> tuple[int, int]:
        (left, right, top, bottom), (H, W) = self.sides, self.y.shape[-2:]
        return top + H + bottom, left + W + right

    def _conditioned(self, x: Tensor, y: Tensor) -> Tensor:
        """x + C Aᵀ (A C Aᵀ + σ²)⁻¹ (y - A x), on the sensor, in the type of the problem's y."""
        multiplier = self._solve(y - crop(convolve(x, self.K), self.sides))
        shift = convolve(functional.pad(multiplier, self.sides), self.S * self.K.conj())
        return crop(x + shift, self.sides).to(self.problem.y)

    def _solve(self, r: Tensor) -> Tensor:
        power = self.S * self.K.abs() ** 2
        inverse = 1 / (power + self.variance)  # that of A C Aᵀ + σ² if the sensor saw the whole canvas

        def system(v: Tensor) -> Tensor:
            self.problem.cost.n_A += 1
            self.problem.cost.n_At += 1
            return crop(convolve(functional.pad(v, self.sides), power), self.sides) + self.variance * v

        def precondition(v: Tensor) -> Tensor:
            return crop(convolve(functional.pad(v, self.sides), inverse), self.sides)

        return conjugate_gradients(system, r, precondition, tolerance=TOLERANCE, most=MOST)


def canvas(problem: Problem) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """Sides (left, right, top, bottom) of the canvas beyond the sensor, 0 on circular data, and its shape (h, w)."""
    blur = problem.blur
    sides = left, right, top, bottom = sides_for(blur.shape, blur.margin)
    return sides, (blur.shape[0] + top + bottom, blur.shape[1] + left + right)
