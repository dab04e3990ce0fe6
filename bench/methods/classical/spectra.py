"""Prior power spectra of images, for linear estimators."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from bench.methods.classical.differences import laplacian_spectrum

SpectralPrior = Literal["flat", "laplacian", "spectrum"]

#: A noise level of zero is taken as this variance (a standard deviation of 0.03 grey levels of 255).
VARIANCE_FLOOR = 1e-8

# The power of natural photographs falls as |f|^-alpha, alpha = 2 on average (Field 1987; van der Schaaf & van Hateren
# 1996, "Modelling the power spectra of natural images"). Of pictures that a lens has softened it falls faster:
# on the validation pictures of `photos` the filter is best with 2.5 at sigma = 1, 4 and 16 / 255, and within 0.12 dB
# of that from 2 to 3 (benchmarks/evidence/defaults.py).
POWER_LAW_EXPONENT = 2.5


def inverse_prior(prior: SpectralPrior, shape: tuple[int, int], like: Tensor) -> Tensor:
    """P(f) = 1 / S(f) up to scale, for S the power spectrum expected of an image: rfft2 layout (H, W // 2 + 1).

    flat: white, 1. laplacian: |L|^2 of the 5-point Laplacian, S ~ f^-4. spectrum: |f|^alpha, the power law of
    natural images. P(0) = 0: nothing is assumed about the mean. Shared with later calls: not to be written to.
    """
    return _inverse_prior(prior, shape, like.dtype, like.device)


@lru_cache(maxsize=4)
def _inverse_prior(prior: SpectralPrior, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Tensor:
    H, W = shape
    if prior == "laplacian":
        return laplacian_spectrum(shape, torch.empty(0, dtype=dtype, device=device)) ** 2
    fv = torch.fft.fftfreq(H, dtype=torch.float64)
    fh = torch.fft.rfftfreq(W, dtype=torch.float64)
    f = torch.hypot(fv[:, None], fh)
    P = torch.ones_like(f) if prior == "flat" else f**POWER_LAW_EXPONENT
    P[0, 0] = 0
    return P.to(device, dtype)


def prior_scale(
    Y: Tensor, gain: Tensor, P: Tensor, variance: Tensor, shape: tuple[int, int], steps: int = 20
) -> Tensor:
    """The scale s (B, C, 1, 1) of the prior S = s / P under which the measurement is most likely.

    Empirical Bayes on the periodogram: |Y|^2 / N has mean V = s |K|^2 / P + variance and, at every frequency, an
    exponential distribution (Whittle 1953), so that Fisher scoring in log s takes a few steps. A plane whose step is
    below 1e-4 is done: the planes of a batch must not depend on one another.

    Args:
        Y: rfft2 of the measurement on a grid of ``shape`` (B, C, H, W // 2 + 1).
        gain: |K|^2 of the transfer function on that grid (B, 1, H, W // 2 + 1).
        P: from ``inverse_prior`` (H, W // 2 + 1).
        variance: of the noise (B, 1, 1, 1), positive.
        shape: (H, W).
        steps: of Fisher scoring, at most.
    """
    periodogram = (Y.abs() ** 2 / (shape[0] * shape[1])).flatten(-2)
    W = torch.where(P > 0, gain / P, 0).flatten(-2)
    weights = (conjugate_pairs(P, shape[1]) * (P > 0)).flatten()
    weights = weights / weights.sum()
    images = zip(periodogram, W[:, 0], variance.flatten(), strict=True)
    s = [torch.stack([_likeliest(plane, w, v, weights, steps) for plane in image]) for image, w, v in images]
    return torch.stack(s)[..., None, None]


def _likeliest(p: Tensor, W: Tensor, variance: Tensor, weights: Tensor, steps: int) -> Tensor:
    """The scale of one plane, a scalar; all others flat, but for a scalar variance."""
    log_s = (torch.dot(weights, p).clamp(min=VARIANCE_FLOOR) / torch.dot(weights, W)).log()
    for _ in range(steps):
        S = log_s.exp() * W
        V = S + variance
        share = S / V
        weighted = weights * share
        score, information = torch.dot(weighted, p / V - 1), torch.dot(weighted, share)
        step = (score / information.clamp(min=1e-20)).clamp(-2, 2)
        log_s = log_s + step
        if step.abs() < 1e-4:
            break
    return log_s.exp()


def conjugate_pairs(like: Tensor, width: int) -> Tensor:
    """How often each entry of an rfft2 (H, W // 2 + 1) like ``like`` stands in the whole, of ``width`` columns."""
    # rfft2 keeps one of each conjugate pair of columns; the first, and the last of an even width, have no partner.
    pairs = torch.full_like(like, 2)
    pairs[:, 0] = 1
    if width % 2 == 0:
        pairs[:, -1] = 1
    return pairs
