"""How far a sampler's Gaussian moments lie from the posterior's, estimated without bias from a few samples.

From n samples the mean carries the variance v / n and a standard deviation is too small by c₄; both are corrected
for, so that an exact sampler scores 0 on average however few its samples (the scores may then be slightly negative).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.verify.oracles.gaussian import Scene


@dataclass(frozen=True)
class Moments:
    """Mean and power spectrum of what a sampler returns for one measurement.

    Attributes:
        mean: (H, W), float64, [-1, 1] units; of independent components (C, H, W).
        variance: E|F(x - mean)|² / (H W), fft2 layout, of the same shape.
        n: number of samples; infinite when the moments are exact.
    """

    mean: Tensor
    variance: Tensor
    n: float = math.inf

    @classmethod
    def of(cls, samples: Tensor) -> Moments:
        """The unbiased moments of samples (n, H, W) or (n, C, H, W), n >= 2."""
        n, (H, W) = len(samples), samples.shape[-2:]
        mean = samples.double().mean(0)
        power = torch.fft.fft2(samples.double() - mean).abs() ** 2
        return cls(mean, power.sum(0) / ((n - 1) * H * W), n)

    @property
    def freedom(self) -> Tensor:
        """Degrees of freedom of ``variance`` (H, W): 2 (n - 1), but half that where F is real."""
        v, h = (torch.arange(m) for m in self.variance.shape[-2:])
        real = ((2 * v) % len(v) == 0)[:, None] & ((2 * h) % len(h) == 0)
        return torch.where(real, 1.0, 2.0).double() * (self.n - 1)


@dataclass(frozen=True)
class Figure:
    """A number with its Monte-Carlo standard error (0 when exact)."""

    value: float
    error: float = 0.0


def bias2(m: Moments, scene: Scene) -> Figure:
    """|E x - E[x | y]|² over the MMSE."""
    tr, v = float(scene.variance.sum()), m.variance
    off = torch.fft.fft2(m.mean - scene.mean).abs() ** 2 / math.prod(v.shape[-2:])
    # Var(|b + e|² - v/n) = 2 |b|² v/n + (v/n)², e of variance v/n; |b|² + v/n is what `off` estimates. Each of a
    # conjugate pair of frequencies holds the same draw: the variance of a sum over both is doubled.
    chance = ((v / m.n) ** 2).sum()
    error = (2 * (2 * (off * v / m.n).sum() - chance).clamp(min=chance)).sqrt()
    return Figure(float((off - v / m.n).sum()) / tr, float(error) / tr)


def w2_squared(m: Moments, scene: Scene) -> Figure:
    """Squared 2-Wasserstein distance between the marginal Gaussians of each frequency, summed, over the MMSE.

    It is that between the two distributions when the sampler's is Gaussian and stationary about its mean, and a
    lower bound otherwise. A point estimate at the posterior mean scores 1.
    """
    tr, v = float(scene.variance.sum()), scene.variance
    spread = m.variance.sqrt()
    apart = m.variance - 2 * v.sqrt() * spread / c4(m.freedom) + v
    single = m.variance / (2 * m.freedom)  # variance of the estimated standard deviation
    error = (2 * (4 * (spread - v.sqrt()) ** 2 * single + 2 * single**2).sum()).sqrt() / tr
    mean = bias2(m, scene)
    return Figure(mean.value + float(apart.sum()) / tr, math.hypot(mean.error, float(error)))


def w2(m: Moments, scene: Scene) -> Figure:
    """Root of ``w2_squared``, 0 where noise makes that negative; the error reaches one standard error up."""
    square = w2_squared(m, scene)
    root = math.sqrt(max(square.value, 0.0))
    return Figure(root, math.sqrt(max(square.value, 0.0) + square.error) - root)


def ratio(m: Moments, scene: Scene, where: Tensor) -> Figure:
    """The sampler's variance over the posterior's in the frequencies ``where`` (H, W), bool; 1 if there are none."""
    if not where.any():
        return Figure(1.0)
    total = float(scene.variance[where].sum())
    error = (2 * (m.variance[where] ** 2 / (m.n - 1)).sum()).sqrt()
    return Figure(float(m.variance[where].sum()) / total, float(error) / total)


def chi2(m: Moments, scene: Scene) -> float:
    """E|y - A x|² / (m σ²): 1 for posterior samples but for a few per cent, more when the data are ignored."""
    gain = scene.K.abs() ** 2
    misfit = torch.fft.fft2(scene.y) - scene.K * torch.fft.fft2(m.mean)
    power = misfit.abs() ** 2 / math.prod(scene.shape) + gain * m.variance * (1 - 1 / m.n)
    return float(power.sum()) / (scene.sigma**2 * misfit.numel())


def crps(m: Moments, scene: Scene) -> float:
    """Continuous ranked probability score of the truth under Gaussian pixels (Gneiting & Raftery 2007, eq. 21)."""
    sd = m.variance.mean((-2, -1), keepdim=True).sqrt()
    error = scene.truth - m.mean
    if not sd.any():
        return float(error.abs().mean())
    z = error / sd
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return float((sd * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))).mean())


def c4(freedom: Tensor) -> Tensor:
    """E s / σ of a standard deviation with that many degrees of freedom; 1 at infinity."""
    finite = freedom.clamp(max=1e9)
    log = torch.lgamma((finite + 1) / 2) - torch.lgamma(finite / 2) + 0.5 * (2 / finite).log()
    return torch.where(torch.isinf(freedom), 1.0, log.exp())
