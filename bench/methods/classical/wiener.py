"""The Wiener filter with an empirical Bayes scale: as a solver, and as what informed networks see beside y."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.methods.classical.optim import noise_variance
from bench.methods.classical.padding import Padding, crop, pad, sides_for
from bench.methods.classical.spectra import SpectralPrior, inverse_prior, prior_scale
from bench.methods.problem import Problem


def wiener(
    problem: Problem,
    prior: SpectralPrior = "spectrum",
    balance: float = 1.0,
    padding: Padding = "blend",
    scale: float | None = None,
) -> Tensor:
    """The estimate (B, C, H, W), not clipped: G = S conj(K) / (S |K|^2 + balance sigma^2), S = s / P.

    Args:
        problem: with known blur and noise.
        prior: power spectrum expected of the image, up to the scale s.
        balance: multiplies the noise variance; 1 is the posterior mean under prior and noise level.
        padding: how a ``valid`` measurement is extended to a periodic one.
        scale: s; fitted to each image by default.
    """
    blur, variance = problem.blur, noise_variance(problem)
    sides = sides_for(blur.shape, blur.margin, padding)
    y = pad(problem.y, sides, padding)
    grid = y.shape[-2], y.shape[-1]
    K = blur.otf(grid)
    Y = torch.fft.rfft2(y)
    P, gain = inverse_prior(prior, grid, like=problem.y), K.abs() ** 2
    s = prior_scale(Y, gain, P, variance, grid) if scale is None else scale
    G = K.conj() / (gain + balance * variance / s * P)
    return crop(torch.fft.irfft2(G * Y, s=grid), sides)
