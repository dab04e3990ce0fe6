"""Stationary Gaussian colour pictures whose channels correlate, and their posterior.

The spectrum S(f) M, with a (3, 3) covariance M of the channels, is diagonal in the eigenvectors V of M: there the
picture is three independent gray ones with the spectra m_k S(f). One blur for all channels and noise that is white
across them commute with V, so that the posterior is that of three gray scenes (see ``gaussian.Scene``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bench.methods.diffusion.colours import to_opponent
from bench.methods.diffusion.schedule import Schedule
from bench.seeds import generator
from bench.verify.oracles.gaussian import Scene, Texture, shake, spectrum, transfer


def aligned(variances: tuple[float, ...] = (2.6, 0.3, 0.1)) -> Tensor:
    """The covariance (3, 3) of channels whose opponent components are independent, with these variances."""
    U = to_opponent(torch.eye(3, dtype=torch.float64)[..., None])[..., 0]
    return U.T @ torch.tensor(variances, dtype=torch.float64).diag() @ U


def skewed() -> Tensor:
    """A covariance (3, 3) whose eigenvectors are not the opponent colours: the red channel varies most."""
    return torch.tensor([[1.4, 0.8, 0.4], [0.8, 0.9, 0.5], [0.4, 0.5, 0.7]], dtype=torch.float64)


class ColourPrior:
    """Exact denoiser of such pictures of any size (see ``bench.methods.diffusion.denoiser.Prior``).

    Args:
        M: covariance of the channels (3, 3), times the texture's variance of 1/4; ``aligned()`` by default.
        texture: S.
    """

    channels = 3
    stride = 1
    mean = 0.0

    def __init__(self, M: Tensor | None = None, texture: Texture = Texture(), schedule: Schedule | None = None):  # noqa: B008  # immutable
        self.schedule, self.texture = schedule or Schedule.make("linear"), texture
        self.M = aligned() if M is None else M
        self.m, self.V = torch.linalg.eigh(self.M)

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t] = a m S / (a² m S + s²) x_t in every frequency and eigenvector; x (B, 3, H, W), t (B,)."""
        a, s = (v.view(-1, 1, 1, 1) for v in self.schedule.scales(t))
        S = self._spectra((x.shape[-2], x.shape[-1])).to(x.device)
        gain = (a * S / (a**2 * S + s**2)).to(x.dtype)
        return self.back(torch.fft.irfft2(torch.fft.rfft2(self.apart(x)) * gain, s=x.shape[-2:]))

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """C = m S σ² / (m S + σ²), as spectra of the opponent components (3, H, W // 2 + 1).

        They are all there is to it where those are the eigenvectors of M; otherwise their correlations are left out.
        """
        S = self._spectra(shape)
        C = S if math.isinf(sigma) else S * sigma**2 / (S + sigma**2)
        UV = to_opponent(self.V[..., None])[..., 0]  # eigenvectors in opponent components
        return torch.einsum("kj,jhw->khw", UV**2, C).to(like)

    def apart(self, x: Tensor) -> Tensor:
        """Vᵀ x over the channels of (..., 3, H, W): independent components."""
        return torch.einsum("cj,...chw->...jhw", self.V.to(x), x)

    def back(self, z: Tensor) -> Tensor:
        """V z, the inverse of ``apart``."""
        return torch.einsum("cj,...jhw->...chw", self.V.to(z), z)

    def _spectra(self, shape: tuple[int, int]) -> Tensor:
        return self.m.view(-1, 1, 1) * spectrum(shape, self.texture)[:, : shape[1] // 2 + 1]


@dataclass(frozen=True)
class ColourScene:
    """A picture of a ``ColourPrior`` behind a blur and noise. [-1, 1] units, float64.

    Attributes:
        prior: what it was drawn from.
        psf: (h, w), odd sides, unit sum.
        sigma: standard deviation of the noise.
        truth, y: (3, H, W).
    """

    prior: ColourPrior
    psf: np.ndarray
    sigma: float
    truth: Tensor
    y: Tensor

    @classmethod
    def make(
        cls, prior: ColourPrior, sigma: float, size: int = 64, index: int = 0, psf: np.ndarray | None = None
    ) -> ColourScene:
        """The scene of that number: the same on every machine but for rounding."""
        rng, shape = generator("colour oracle", size, index), (size, size)
        white, noise = (torch.from_numpy(rng.standard_normal((3, *shape))) for _ in range(2))
        S = prior.m.view(-1, 1, 1) * spectrum(shape, prior.texture)
        truth = prior.back(torch.fft.ifft2(torch.fft.fft2(white) * S.sqrt()).real)
        psf = shake() if psf is None else psf
        blurred = torch.fft.ifft2(torch.fft.fft2(truth) * transfer(psf, shape)).real
        return cls(prior, psf, sigma, truth, blurred + sigma * noise)

    def components(self, x: Tensor) -> Tensor:
        """Pictures (..., 3, H, W) in the eigenvectors of M."""
        return self.prior.apart(x)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.y.shape[-2], self.y.shape[-1]

    @cached_property
    def apart(self) -> Scene:
        """The same in the eigenvectors of M: three independent gray scenes in one, with the exact posterior."""
        p = self.prior
        scale = p.m.view(-1, 1, 1)
        return Scene(self.psf, self.sigma, p.apart(self.truth), p.apart(self.y), p.texture, scale)
