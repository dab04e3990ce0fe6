"""Variance-preserving noise schedules: the discrete DDPM steps and the continuous view of the same.

x_t = a_t x_0 + s_t ε with a_t² = ᾱ_t, s_t² = 1 - ᾱ_t; images in [-1, 1]. The noise-to-signal ratio
σ_t = s_t / a_t is the standard deviation of the noise that x_t / a_t carries, in the same units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from bench.errors import SettingError

Name = Literal["linear", "cosine"]


@dataclass(frozen=True)
class Schedule:
    """N noise levels, and every level between them.

    Between two integer steps log σ is linear in t, so that t may be real in [0, N - 1].

    Attributes:
        alphas_cumprod: ᾱ, float64 (N,), strictly decreasing in (0, 1).
    """

    alphas_cumprod: Tensor

    @classmethod
    def of_betas(cls, betas: Tensor, *, zero_snr: bool = False) -> Schedule:
        """The schedule with 1 - β_t = ᾱ_t / ᾱ_{t-1}, β float64 (N,).

        Args:
            betas: in (0, 1).
            zero_snr: shift and stretch √ᾱ until the last level is noise alone (Lin et al. 2024, Algorithm 1).

        Raises SettingError for fewer than two levels, or β out of range.
        """
        if len(betas) < 2 or not bool(((betas > 0) & (betas < 1)).all()):
            raise SettingError("a schedule needs two betas at least, all of them between 0 and 1")
        alphas_cumprod = torch.cumprod(1 - betas.double(), 0)
        return cls(_to_zero_snr(alphas_cumprod) if zero_snr else alphas_cumprod)

    @classmethod
    def make(cls, name: Name, steps: int = 1000) -> Schedule:
        """The schedule of that name. Raises SettingError for fewer than two steps."""
        if steps < 2:
            raise SettingError(f"schedule: steps must be at least 2, got {steps}")
        betas = {"linear": linear_betas, "cosine": cosine_betas}[name](steps)
        return cls(torch.cumprod(1 - betas, 0))

    def between(self, low: float, high: float) -> Schedule:
        """The levels with low <= σ <= high. Raises SettingError where fewer than two are left."""
        sigmas = self.log_sigmas.exp()
        within = (sigmas >= low * (1 - 1e-9)) & (sigmas <= high * (1 + 1e-9))
        if int(within.sum()) < 2:
            raise SettingError(f"no two levels of the schedule lie between σ = {low:g} and {high:g}")
        return Schedule(self.alphas_cumprod[within])

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    @cached_property
    def log_sigmas(self) -> Tensor:
        """The log σ of the N integer steps, float64, increasing: minus half the log-SNR."""
        return 0.5 * (torch.log1p(-self.alphas_cumprod) - self.alphas_cumprod.log())

    def sigma(self, t: Tensor) -> Tensor:
        """σ at real t in [0, N - 1] (clamped), float64, the shape of t."""
        log_sigmas, low, part = self._between(t)
        return torch.lerp(log_sigmas[low], log_sigmas[low + 1], part).exp()

    def scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a_t and s_t, float64, the shape of t: a = 1/√(1+σ²), s = σ/√(1+σ²)."""
        sigma = self.sigma(t)
        a = torch.rsqrt(1 + sigma**2)
        return a, sigma * a

    def time(self, sigma: Tensor) -> Tensor:
        """The t at which σ_t = sigma (clamped to the schedule's ends), float64: the inverse of ``sigma``."""
        log_sigmas = self._log_sigmas_on(sigma.device)
        wanted = sigma.double().log().clamp(log_sigmas[0], log_sigmas[-1])
        low = (torch.searchsorted(log_sigmas, wanted.contiguous(), right=True) - 1).clamp(0, len(self) - 2)
        return low + (wanted - log_sigmas[low]) / (log_sigmas[low + 1] - log_sigmas[low])

    def beta(self, t: Tensor) -> Tensor:
        """β(t) of the VP SDE dx = -½ β x dt + √β dw, per step: -d ln ᾱ/dt = 2 (1 - ᾱ) d ln σ/dt."""
        log_sigmas, low, _ = self._between(t)
        _, s = self.scales(t)
        return 2 * s**2 * (log_sigmas[low + 1] - log_sigmas[low])

    def _between(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        t = t.double().clamp(0, len(self) - 1)
        low = t.floor().long().clamp(max=len(self) - 2)
        return self._log_sigmas_on(t.device), low, t - low

    def _log_sigmas_on(self, device: torch.device) -> Tensor:
        """Copied once: every evaluation of a sampler reads them."""
        if device not in self._copies:
            self._copies[device] = self.log_sigmas.to(device)
        return self._copies[device]

    @cached_property
    def _copies(self) -> dict[torch.device, Tensor]:
        return {}


def linear_betas(steps: int) -> Tensor:
    """β from 1e-4 to 0.02 at 1000 steps (Ho et al. 2020, section 4), scaled by 1000 / steps otherwise."""
    scale = 1000 / steps
    return torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64).clamp(max=0.999)


def cosine_betas(steps: int, offset: float = 0.008) -> Tensor:
    """β of ᾱ(t) = f(t)/f(0), f(t) = cos²((t/T + s)/(1 + s) π/2), at most 0.999 (Nichol and Dhariwal 2021, eq. 17)."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=0.999)


def scaled_linear_betas(steps: int, first: float, last: float) -> Tensor:
    """√β linear from the first to the last (Rombach et al. 2022)."""
    return torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64) ** 2


def _to_zero_snr(alphas_cumprod: Tensor) -> Tensor:
    a = alphas_cumprod.sqrt()
    a = (a - a[-1]) * a[0] / (a[0] - a[-1])
    # No signal at all has no logarithm: half the amplitude of the level before, thousands of times below the noise.
    return torch.cat([a[:-1], a[-2:-1] / 2]) ** 2
