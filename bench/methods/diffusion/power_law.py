"""Images whose power spectrum falls with a power of the frequency, and how wrong the best denoiser of them is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from bench.methods.diffusion.schedule import Schedule


@dataclass(frozen=True)
class PowerLaw:
    """S(f) = c (|f|² + corner²)^(-slope / 2) with |f| in cycles per pixel; images in [-1, 1].

    Attributes:
        slope: 2 for pictures of occluding objects of all sizes (Ruderman 1997); measured values are 1.8 to 2.8.
        corner: frequency below which the spectrum is flat: what makes the variance finite.
        std: standard deviation of a pixel, in [-1, 1] units.
        mean: of a pixel, in [-1, 1].
    """

    slope: float
    corner: float
    std: float
    mean: float

    def spectrum(self, shape: tuple[int, int]) -> Tensor:
        """S, float64 (H, W // 2 + 1), rfft2 layout. The same law at every size."""
        scale = self.std**2 / _law((512, 512), self.slope, self.corner, full=True).mean()
        return scale * _law(shape, self.slope, self.corner)

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """S σ² / (S + σ²), the error of the best denoiser of Gaussian images; S itself at infinite sigma."""
        S = self.spectrum(shape)
        return (S if math.isinf(sigma) else S * sigma**2 / (S + sigma**2)).to(like)


@lru_cache(maxsize=16)
def _law(shape: tuple[int, int], slope: float, corner: float, full: bool = False) -> Tensor:
    columns = (torch.fft.fftfreq if full else torch.fft.rfftfreq)(shape[1], dtype=torch.float64)
    f2 = torch.fft.fftfreq(shape[0], dtype=torch.float64)[:, None] ** 2 + columns**2
    return (f2 + corner**2) ** (-slope / 2)


#: The photographs that `photos` was trained on, fitted to the spectrum on its card: within 40 % in every ring.
PHOTOGRAPHS = PowerLaw(slope=2.6, corner=0.005, std=0.54, mean=-0.09)


class GaussianImages:
    """The exact denoiser of stationary Gaussian images on a torus of any size (a ``PriorModel``)."""

    channels = 1
    stride = 1

    def __init__(self, law: PowerLaw):
        self.law, self.mean, self.schedule = law, law.mean, Schedule.make("linear")

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t] = μ + a S / (a² S + s²) (x_t - a μ) in every frequency."""
        a, s = (v.view(-1, 1, 1, 1) for v in self.schedule.scales(t))
        S = self.law.spectrum((x.shape[-2], x.shape[-1])).to(x.device)
        gain = (a * S / (a**2 * S + s**2)).to(x.dtype)
        centred = x - (a * self.law.mean).to(x.dtype)
        return self.law.mean + torch.fft.irfft2(torch.fft.rfft2(centred) * gain, s=x.shape[-2:])

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """S σ² / (S + σ²), exactly."""
        return self.law.error_power(sigma, shape, like)
