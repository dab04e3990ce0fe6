"""A stationary Gaussian prior on the torus, and its posterior under circular blur and white noise.

Everything is diagonal in the Fourier basis: with S the prior's power spectrum and k the transfer function, the
posterior has the mean S k* y / (|k|² S + σ²), the Wiener filter, and the spectrum S σ² / (|k|² S + σ²). Images are
in [-1, 1] units with mean 0, that is in [0, 1] units mean 1/2 and standard deviation 1/4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.imaging import psf as psfs
from bench.methods.diffusion.schedule import Schedule
from bench.seeds import generator

#: Pixel variance of the images, in [-1, 1] units.
VARIANCE = 0.25


class Texture(NamedTuple):
    """The law S(f) ~ (|f|² + corner²)^-slope of a power spectrum; f and ``corner`` in cycles per 64 pixels."""

    slope: float = 1.1
    corner: float = 1.5


@lru_cache(maxsize=32)
def spectrum(shape: tuple[int, int], texture: Texture = Texture()) -> Tensor:  # noqa: B008  # immutable
    """The texture's power spectrum for a pixel variance of 1/4: float64 (H, W), fft2 layout."""
    f = [64 * torch.fft.fftfreq(n, dtype=torch.float64) for n in shape]
    S = (f[0][:, None] ** 2 + f[1] ** 2 + texture.corner**2) ** -texture.slope
    return S * (VARIANCE / S.mean())


class GaussianPrior:
    """Exact denoiser of stationary Gaussian images of any size (see ``bench.methods.diffusion.denoiser.Prior``).

    Args:
        schedule: noise levels; by default the linear one with 1000 steps.
        texture: the power spectrum of the images.
    """

    channels = 1
    stride = 1
    mean = 0.0

    def __init__(self, schedule: Schedule | None = None, texture: Texture = Texture()):  # noqa: B008  # immutable
        self.schedule, self.texture = schedule or Schedule.make("linear"), texture

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t] = a S / (a² S + s²) x_t in every frequency; x (B, 1, H, W), t (B,)."""
        a, s = (v.view(-1, 1, 1, 1) for v in self.schedule.scales(t))
        S = _half(spectrum((x.shape[-2], x.shape[-1]), self.texture)).to(x.device)
        gain = (a * S / (a**2 * S + s**2)).to(x.dtype)
        return torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=x.shape[-2:])

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """C = S σ² / (S + σ²), rfft2 layout (H, W // 2 + 1)."""
        S = _half(spectrum(shape, self.texture))
        return (S if math.isinf(sigma) else S * sigma**2 / (S + sigma**2)).to(like)

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Tensor:
        """One image (H, W), float64."""
        white = torch.from_numpy(rng.standard_normal(shape))
        return torch.fft.ifft2(torch.fft.fft2(white) * spectrum(shape, self.texture).sqrt()).real


@dataclass(frozen=True)
class Scene:
    """One picture of the prior behind a blur and noise, with its exact posterior. [-1, 1] units, float64.

    Attributes:
        psf: (h, w), odd sides, unit sum.
        sigma: standard deviation of the noise.
        truth, y: (H, W).
        texture: the power spectrum of the prior that the truth was drawn from.
        scale: multiplies it: a number, or (C, 1, 1) for pictures of C independent channels; everything that is
            (H, W) is then (C, H, W).
    """

    psf: np.ndarray
    sigma: float
    truth: Tensor
    y: Tensor
    texture: Texture = Texture()
    scale: Tensor | float = 1.0

    @classmethod
    def make(
        cls, prior: GaussianPrior, sigma: float, size: int = 64, index: int = 0, psf: np.ndarray | None = None
    ) -> Scene:
        """The scene of that number: the same on every machine. The blur is ``shake()`` by default."""
        rng = generator("gaussian oracle", size, index)
        truth, psf = prior.draw((size, size), rng), shake() if psf is None else psf
        noise = torch.from_numpy(rng.standard_normal((size, size)))
        blurred = torch.fft.ifft2(torch.fft.fft2(truth) * transfer(psf, (size, size))).real
        return cls(psf, sigma, truth, blurred + sigma * noise, prior.texture)

    def components(self, x: Tensor) -> Tensor:
        """Pictures in the independent components of the prior: gray ones are one."""
        return x

    @property
    def apart(self) -> Scene:
        """The scene in those components."""
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.y.shape[-2], self.y.shape[-1]

    @cached_property
    def S(self) -> Tensor:
        """Power spectrum of the prior (H, W)."""
        return self.scale * spectrum(self.shape, self.texture)

    @cached_property
    def K(self) -> Tensor:
        """Transfer function (H, W), complex."""
        return transfer(self.psf, self.shape)

    @cached_property
    def mean(self) -> Tensor:
        """Posterior mean (H, W)."""
        gain = self.S * self.K.conj() / (self.K.abs() ** 2 * self.S + self.sigma**2)
        return torch.fft.ifft2(gain * torch.fft.fft2(self.y)).real

    @cached_property
    def variance(self) -> Tensor:
        """Posterior power spectrum (H, W); its mean is the variance of each pixel, its sum the MMSE of the image."""
        return self.S * self.sigma**2 / (self.K.abs() ** 2 * self.S + self.sigma**2)

    @cached_property
    def observed(self) -> Tensor:
        """Frequencies in which the measurement holds more signal than noise: |k|² S > σ², bool (H, W)."""
        return self.K.abs() ** 2 * self.S > self.sigma**2


def transfer(psf: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """Transfer function of a PSF centred at size // 2: complex128 (H, W), fft2 layout."""
    (h, w), padded = psf.shape, np.zeros(shape)
    padded[:h, :w] = psf
    return torch.fft.fft2(torch.from_numpy(np.roll(padded, (-(h // 2), -(w // 2)), (0, 1))))


@lru_cache(maxsize=4)
def shake(length: float = 14.0) -> np.ndarray:
    """A bent path lit unevenly, about ``length`` pixels long: no symmetry that could hide a flip or a shift."""
    t = np.linspace(0, 1, 1000)
    points = length * ((t - 0.5) + 0.25j * np.sin(5 * t + 0.5))
    weights = np.broadcast_to(1 + 0.6 * np.cos(4 * t), t.shape)
    psf = psfs.centred(psfs.splat(points, weights / weights.sum(), psfs.reach(points)))
    return psf / psf.sum()


def bow(length: float = 9.0) -> np.ndarray:
    """A quarter of a circle lit from one end: the blur of a held-out oracle, (h, w) with odd sides and unit sum."""
    t = np.linspace(0, 1, 1000)
    points = length * np.exp(1j * np.pi * t / 2)
    weights = 1.5 - t
    psf = psfs.centred(
        psfs.splat(points - points.mean(), weights / weights.sum(), psfs.reach(points - points.mean()))
    )
    return psf / psf.sum()


def disk(radius: float = 4.0) -> np.ndarray:
    """Defocus of that radius in pixels: the blur of a held-out oracle, (h, w) with odd sides and unit sum."""
    areas = psfs.disk_areas(radius)
    return areas / areas.sum()


def _half(S: Tensor) -> Tensor:
    return S[:, : S.shape[1] // 2 + 1]
