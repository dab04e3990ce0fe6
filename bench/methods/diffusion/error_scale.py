"""How wrong the denoiser is on this very image: the measured error spectrum, scaled by what the residual tells."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.methods.classical.spectra import conjugate_pairs
from bench.methods.diffusion.colours import to_opponent
from bench.methods.diffusion.error_spectrum import hann
from bench.methods.diffusion.task import Task

#: Standard deviation of log κ before the residual is seen: a card's average is off by a factor of e, more or less.
PRIOR_SD = 1.0
#: Scoring steps of at most a factor e; more change κ by less than 1 %.
STEPS = 8


def error_scale(task: Task, r: Tensor, sigma: float) -> Tensor:
    """κ of each image (n, 1, 1, 1): the mode of p(κ | r) for r ~ N(0, κ A C Aᵀ + Σ) and log κ ~ N(0, PRIOR_SD²).

    C(f) is an average over images, and a sky errs less than a lawn. If x_t is a sample of p(x_t | y), then x_0, y
    and x_t have their true joint distribution, in which the residual r = y - A x̂_0(x_t) has that covariance. The
    likelihood is Whittle's (1953, "The analysis of multiple time series"): frequencies of the residual as
    independent, which is exact on a torus; a sensor that is none gets a Hann taper, which leaves a share of
    (Σ w²)² / (m Σ w⁴) of the frequencies independent. The mode is reached by Fisher scoring.

    Args:
        task: y, A and Σ, whose mean stands for the noise of every pixel.
        r: residuals y - A x̂_0 (n, c, H, W).
        sigma: s/a of x_t, at which the error spectrum is read.
    """
    H, W = r.shape[-2:]
    window = r.new_ones(H, W) if task.shape == (H, W) else hann(H, W, r)
    R = torch.fft.rfft2(to_opponent(r) * window).abs() ** 2 / (window**2).sum()
    independent = (window**2).sum() ** 2 / (H * W * (window**4).sum())
    P = task.prior.error_power(sigma, (H, W), r) * task.sensor_gain
    weight = 0.5 * independent * conjugate_pairs(P[0, 0], W)
    log = r.new_zeros(len(r), 1, 1, 1)
    for _ in range(STEPS):
        power = log.exp() * P
        total = power + task.sigma**2
        share = power / total
        weighted = weight * share
        slope = _sum(weighted * (1 - R / total)) + log / PRIOR_SD**2
        information = _sum((weighted * share).expand_as(R)) + 1 / PRIOR_SD**2
        log = log - (slope / information).clamp(-1, 1)
    return log.exp()


def _sum(x: Tensor) -> Tensor:
    return x.sum((1, 2, 3), keepdim=True)
