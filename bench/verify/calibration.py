"""Calibration over many truths: the law of the draws against the exact posterior, whatever was measured.

Simulation-based calibration (Talts et al. 2018, "Validating Bayesian inference algorithms") ranks each truth among
posterior draws. Where the posterior is known, the draw itself can be put through its exact distribution function,
which needs one draw of each truth in place of many. Here: a truth and a measurement of 32 × 32 pixels, one draw x,
and the errors x - E[x | y] of its sixteen 8 × 8 block means, whitened by their exact posterior covariance. Of an
exact sampler these are independent standard normals over all truths: a Kolmogorov-Smirnov test says whether they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.methods.problem import Solver
from bench.verify import runs
from bench.verify.coverage import BLOCK, box
from bench.verify.oracles.gaussian import GaussianPrior, Scene

SIDE, SIGMA = 32, 0.1
#: The first scene: further on than those that the other examinations use.
FIRST = 1000
BINS = 10


@dataclass(frozen=True)
class Score:
    """The test of all draws together.

    Attributes:
        truths: number of truths, each with a measurement and a draw of its own.
        p: of the Kolmogorov-Smirnov test that all whitened block errors are standard normal.
        spread: their root mean square; 1 for an exact sampler.
        histogram: share of their probability integral transforms in each of ten bins; 0.1 each for an exact sampler.
    """

    truths: int
    p: float
    spread: float
    histogram: tuple[float, ...]

    def json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def score(solver: Solver, prior: GaussianPrior, truths: int, psf: np.ndarray | None = None) -> Score:
    """One draw for each of ``truths`` truths, tested."""
    scenes = [Scene.make(prior, SIGMA, size=SIDE, index=FIRST + i, psf=psf) for i in range(truths)]
    y = torch.stack([s.y for s in scenes])
    x = runs.draw(solver, prior, y, scenes[0].psf, SIGMA, runs.generators(truths, "calibration"))
    return of_draws(x, scenes)


def of_draws(x: Tensor, scenes: list[Scene]) -> Score:
    """The test of draws x (M, 32, 32), one for each scene."""
    from scipy.stats import kstest, norm

    z = torch.cat([whitened(xi, s).flatten() for xi, s in zip(x, scenes, strict=True)]).numpy()
    counts, _ = np.histogram(norm.cdf(z), BINS, (0, 1))
    return Score(
        truths=len(scenes),
        p=float(kstest(z, "norm").pvalue),
        spread=float(np.sqrt((z**2).mean())),
        histogram=tuple(float(c) for c in counts / len(z)),
    )


def whitened(x: Tensor, scene: Scene) -> Tensor:
    """Errors of block means of a draw x (H, W), whitened by their exact posterior covariance: (H / 8, W / 8)."""
    B = box(scene.shape)
    blocks = torch.fft.ifft2(torch.fft.fft2(x - scene.mean) * B).real[::BLOCK, ::BLOCK]
    # Block means of a stationary field are stationary on the coarse torus; the spectrum there is the transform of
    # the autocovariance at multiples of the block.
    covariance = torch.fft.ifft2(scene.variance * B.abs() ** 2).real[::BLOCK, ::BLOCK]
    power = torch.fft.fft2(covariance).real
    return torch.fft.ifft2(torch.fft.fft2(blocks) / power.sqrt()).real
