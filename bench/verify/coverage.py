"""How often a sampler's 90 % intervals hold what they claim to, in expectation over the exact posterior.

The interval is that of ``bench.scoring.posterior``: mean ± t_{n-1} s √(1 + 1/n), exact at any n for Gaussian
posteriors. It is asked of single pixels and of the means of 8 × 8 blocks: a sampler may have the right variance in
each pixel and the wrong covariance between them, which scores of single pixels (CRPS as well) cannot see.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bench.verify.oracles.gaussian import Scene
from bench.verify.oracles.mixture import Mixture
from bench.verify.oracles.moments import Moments

#: Nominal coverage of the interval.
LEVEL = 0.9
#: Side of a block in pixels.
BLOCK = 8


class Coverage(NamedTuple):
    """Of the interval of nominal LEVEL: the mean over pixels, and over means of blocks; each in [0, 1]."""

    pixels: float
    blocks: float


def box(shape: tuple[int, int]) -> Tensor:
    """Transfer function of the mean over 8 × 8 pixels: complex128 (H, W), fft2 layout."""
    kernel = torch.zeros(shape, dtype=torch.float64)
    kernel[:BLOCK, :BLOCK] = 1 / BLOCK**2
    return torch.fft.fft2(kernel)


def of_moments(m: Moments, scene: Scene) -> Coverage:
    """Of stationary moments on the Gaussian oracle; every 8 × 8 block of the torus counts."""
    shape = (scene.shape[0], scene.shape[1])
    parts = (_of_spectra(m, scene, gain) for gain in (torch.ones(shape, dtype=torch.complex128), box(shape)))
    return Coverage(*parts)


def _of_spectra(m: Moments, scene: Scene, gain: Tensor) -> float:
    """Coverage of G x for a convolution G with the transfer function ``gain`` (H, W)."""
    power = gain.abs() ** 2
    off = torch.fft.ifft2(torch.fft.fft2(m.mean - scene.mean) * gain).real
    own, exact = ((power * v).mean((-2, -1), keepdim=True).sqrt() for v in (m.variance, scene.variance))
    return float(_inside(off, _reach(m.n) * own, exact).mean())


def of_samples(x: Tensor, posterior: Mixture, side: int) -> Coverage:
    """Of samples x (n, d) of one patch of ``side`` × ``side`` pixels, d = side², against its exact posterior."""
    blocks = _blocks(side).to(x)
    return Coverage(_of_functionals(x, posterior, torch.eye(x.shape[1]).to(x)), _of_functionals(x, posterior, blocks))


def _of_functionals(x: Tensor, posterior: Mixture, rows: Tensor) -> float:
    """Mean coverage of the linear functionals ``rows`` (f, d)."""
    seen = x @ rows.T
    half = _reach(len(x)) * seen.std(0)
    means = posterior.means @ rows.T  # (J, f)
    sds = (((rows @ posterior.vectors) ** 2) * posterior.values[:, None]).sum(-1).sqrt()
    each = _inside(seen.mean(0) - means, half, sds)
    return float((posterior.log_weights.exp()[:, None] * each).sum(0).mean())


def _blocks(side: int) -> Tensor:
    """The means of the blocks that tile a patch, as functionals (f, side²)."""
    masks = torch.zeros(side // BLOCK, side // BLOCK, side, side, dtype=torch.float64)
    for v in range(side // BLOCK):
        for h in range(side // BLOCK):
            masks[v, h, v * BLOCK : (v + 1) * BLOCK, h * BLOCK : (h + 1) * BLOCK] = 1 / BLOCK**2
    return masks.flatten(0, 1).flatten(1)


def _reach(n: float) -> float:
    """Half the interval's width in sample standard deviations."""
    from scipy.stats import norm, t

    if math.isinf(n):
        return float(norm.ppf((1 + LEVEL) / 2))
    return float(t.ppf((1 + LEVEL) / 2, n - 1)) * math.sqrt(1 + 1 / n)


def _inside(off: Tensor, half: Tensor, sd: Tensor) -> Tensor:
    """P(|m + off - x| <= half) for x ~ N(m, sd²)."""
    return torch.special.ndtr((off + half) / sd) - torch.special.ndtr((off - half) / sd)
