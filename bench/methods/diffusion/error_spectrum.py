"""How wrong a denoiser is: the mean power spectrum of its error, by noise level and spatial frequency.

A sampler that trusts its denoiser too much fits noise, one that trusts it too little ignores the prior. For the
exact denoiser of a stationary Gaussian prior S the error has the spectrum S σ² / (S + σ²); for a trained network
it is measured, once, on training images, and travels on the card of the weights. Errors of a colour denoiser are
measured in opponent colours (see ``bench.methods.diffusion.colours``), where they hardly correlate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from bench.methods.diffusion.colours import to_opponent

#: σ = s/a at which the error is measured, in [-1, 1] units; the last stands for infinity.
SIGMAS = tuple(0.005 * 2**k for k in range(14))
#: Edges of the rings of spatial frequency, in cycles per pixel.
EDGES = (0.0, *(0.5 * 2 ** (-k / 2) for k in range(10, -1, -1)), 0.72)


@dataclass(frozen=True)
class ErrorPower:
    """The tables C(σ, |f|), read with interpolation in log σ, log |f| and log C.

    Attributes:
        sigmas: increasing.
        frequencies: mean |f| of each ring, cycles per pixel, increasing.
        power: for each opponent component, or for gray alone, one row per sigma; white noise of variance v has the
            power v.
        mean: mean intensity of the images, in [-1, 1].
        measured_on: the data, in words; "" where a card says so.
    """

    sigmas: tuple[float, ...]
    frequencies: tuple[float, ...]
    power: tuple[tuple[tuple[float, ...], ...], ...]
    mean: float
    measured_on: str = ""

    @classmethod
    def of(cls, card: dict[str, Any], measured_on: str = "") -> ErrorPower:
        """From the entry of a card: ``power`` is a table, or a list of one for each opponent component."""
        power = card["power"]
        tables = power if isinstance(power[0][0], list | tuple) else [power]
        read = tuple(tuple(tuple(float(v) for v in row) for row in table) for table in tables)
        return cls(tuple(card["sigmas"]), tuple(card["frequencies"]), read, float(card["mean"]), measured_on)

    def card(self) -> dict[str, Any]:
        """Plain data, to four digits."""
        tables = [[[float(f"{v:.4g}") for v in row] for row in table] for table in self.power]
        return {
            "sigmas": list(self.sigmas),
            "frequencies": [round(f, 5) for f in self.frequencies],
            "power": tables if len(tables) > 1 else tables[0],
            "mean": round(self.mean, 4),
        }

    @cached_property
    def _log_sigmas(self) -> Tensor:
        return torch.tensor(self.sigmas, dtype=torch.float64).log()

    @cached_property
    def _log_power(self) -> Tensor:
        return torch.tensor(self.power, dtype=torch.float64).log()

    def __call__(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """C on a grid of ``shape``: rfft2 layout (H, W // 2 + 1), dtype and device of ``like``.

        Of several components (components, H, W // 2 + 1).
        """
        log_sigmas = self._log_sigmas
        at = torch.tensor(max(sigma, 1e-12), dtype=torch.float64).log()
        at = at.clamp(log_sigmas[0], log_sigmas[-1]).view(1)
        low, part = _rings_of(self.frequencies, shape)
        rows = [_interpolate(log_sigmas, table, at)[0] for table in self._log_power]
        values = torch.stack([torch.lerp(row[low], row[low + 1], part) for row in rows]).to(like).exp()
        values = values if len(rows) > 1 else values[0]
        # Below the lowest level the error cannot exceed the noise: C <= σ², which binds long before.
        return values.clamp(max=sigma**2) if math.isfinite(sigma) else values


def measure(
    x: Tensor, denoise: Callable[[Tensor, float], Tensor], seed: int = 0, sigmas: Sequence[float] = SIGMAS[:-1]
) -> ErrorPower:
    """The table of a denoiser.

    Args:
        x: clean images (n, C, H, W) in [-1, 1], such as the denoiser was trained on.
        denoise: (y, sigma) -> estimates of x from y = x + sigma n.
        sigmas: levels to measure at, increasing and below the last of ``SIGMAS``: those that the denoiser knows.
    """
    generator = torch.Generator().manual_seed(seed)
    window = hann(x.shape[-2], x.shape[-1], torch.empty(0, dtype=torch.float64))
    rings = _rings(x.shape[-2], x.shape[-1])
    mean = float(x.mean())

    def power(error: Tensor) -> list[tuple[float, ...]]:
        coloured = to_opponent(error.double()) if error.shape[1] > 1 else error.double()
        spectra = (torch.fft.rfft2(coloured * window).abs() ** 2).mean(0) / (window**2).sum()
        return [tuple(float(spectrum[ring].mean()) for ring in rings) for spectrum in spectra]

    rows = []
    for sigma in sigmas:
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
        rows.append(power(x - denoise(x + sigma * noise, sigma)))
    rows.append(power(x - mean))
    f = _frequency(x.shape[-2], x.shape[-1])
    frequencies = tuple(float(f[ring].mean()) for ring in rings)
    return ErrorPower((*sigmas, SIGMAS[-1]), frequencies, tuple(zip(*rows, strict=True)), mean)


def hann(H: int, W: int, like: Tensor) -> Tensor:
    """A Hann taper (H, W) without its zeros, in the dtype and on the device of ``like``."""
    v, h = (torch.hann_window(n + 2, periodic=False, dtype=like.dtype, device=like.device)[1:-1] for n in (H, W))
    return v[:, None] * h


def _frequency(H: int, W: int) -> Tensor:
    return torch.hypot(torch.fft.fftfreq(H, dtype=torch.float64)[:, None], torch.fft.rfftfreq(W, dtype=torch.float64))


def _rings(H: int, W: int) -> list[Tensor]:
    f = _frequency(H, W)
    masks = [(f > low) & (f <= high) for low, high in pairwise(EDGES)]
    return [m for m in masks if m.any()]


@lru_cache(maxsize=16)
def _rings_of(frequencies: tuple[float, ...], shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """For each frequency of a grid: the ring below it, and how far it lies towards the next in log |f|."""
    f = _frequency(*shape).clamp(frequencies[0], frequencies[-1])
    return _between(torch.tensor(frequencies, dtype=torch.float64).log(), f.log())


def _interpolate(knots: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Piecewise linear: values (k, m) at knots (k,) -> (n, m) at ``at`` (n,), within the knots' range."""
    low, part = _between(knots, at)
    return torch.lerp(values[low], values[low + 1], part[:, None])


def _between(knots: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    low = (torch.searchsorted(knots, at.contiguous(), right=True) - 1).clamp(0, len(knots) - 2)
    return low, (at - knots[low]) / (knots[low + 1] - knots[low])
