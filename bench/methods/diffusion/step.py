"""From x_t and an estimate of x_0 to the next, cleaner x_s."""

from __future__ import annotations

import math

from torch import Tensor

from bench.methods.diffusion.levels import Level


def ddim(x: Tensor, x0: Tensor, now: Level, then: Level, eta: float = 0.0, noise: Tensor | None = None) -> Tensor:
    """x_s of DDIM (Song, Meng & Ermon 2021, eq. 12), with ε re-derived from x_0, so that it may carry guidance.

    eta = 0 is deterministic; eta = 1 is the ancestral step of DDPM with the posterior variance
    β̃ = (1 - ᾱ_s)/(1 - ᾱ_t) (1 - ᾱ_t/ᾱ_s) (Ho et al. 2020, eq. 7).

    Args:
        x, x0: (B, 1, H, W).
        now, then: levels of x_t and x_s; a clean ``then`` gives x_0.
        noise: standard normal, like x; needed for eta > 0.
    """
    epsilon = (x - now.a * x0) / now.s
    spread = eta * then.s / now.s * math.sqrt(max(0.0, 1 - (now.a / then.a) ** 2))
    out = then.a * x0 + math.sqrt(max(0.0, then.s**2 - spread**2)) * epsilon
    return out if noise is None or spread == 0 else out + spread * noise


class Multistep:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2): second order in log-SNR from the last two estimates of x_0.

    Keep one for each chain; ``step`` must be called for consecutive levels.
    """

    def __init__(self) -> None:
        self._previous: tuple[Tensor, Level] | None = None

    def step(self, x: Tensor, x0: Tensor, now: Level, then: Level) -> Tensor:
        """x_s. The first step is of first order, which is DDIM."""
        if then.clean:
            return x0
        h = math.log(now.sigma / then.sigma)  # λ_s - λ_t, λ = log(a/s)
        D = x0
        if self._previous is not None:
            x0_before, before = self._previous
            r = math.log(before.sigma / now.sigma) / h
            D = x0 + (x0 - x0_before) / (2 * r)
        self._previous = (x0, now)
        return then.s / now.s * x - then.a * math.expm1(-h) * D


def renoise(x: Tensor, x0: Tensor, now: Level, then: Level, zeta: float, noise: Tensor) -> Tensor:
    """x_s = a_s x_0 + s_s (√(1-ζ) ε̂ + √ζ n), ε̂ re-derived from x_0 (Zhu et al. 2023, eq. 14, with η = 0).

    Args:
        zeta: share of fresh noise in [0, 1].
    """
    epsilon = (x - now.a * x0) / now.s
    return then.a * x0 + then.s * (math.sqrt(1 - zeta) * epsilon + math.sqrt(zeta) * noise)
