"""A solver against the mixture oracle: where the posterior is not Gaussian but known."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.methods.problem import Solver
from bench.scoring.posterior import crps
from bench.verify import coverage, runs
from bench.verify.oracles.gaussian import shake
from bench.verify.oracles.mixture import SIDE, MixturePrior, PatchScene
from bench.verify.oracles.moments import Figure

SIGMA = 0.1
#: Length of the blur in pixels.
BLUR = 8.0
#: Truths that might have been, for the CRPS of each patch.
TRUTHS = 24
#: Sets of exact samples that say what a W₂ estimated from as many samples has by chance.
REPEATS = 16


@dataclass(frozen=True)
class Score:
    """Means over several patches.

    Attributes:
        patches, samples: number of patches, and of samples of each.
        bias2: |E x - E[x | y]|² over the MMSE, corrected for the number of samples.
        w2: Wasserstein distance along the axes of each posterior's covariance, over the root of the MMSE: a lower
            bound of the distance, 0 for exact samples in expectation; with its standard error over patches.
        variance: over the posterior's.
        mse: mean squared error of one sample, in expectation over the posterior, over the MMSE; 2 for exact samples.
        chi2: E|y - A x|² / (m σ²).
        crps, crps_exact: in expectation over the truth given y; exact: of exact samples.
        coverage_90, coverage_90_blocks: of the 90 % interval, of pixels and of means of 8 × 8 pixels, in expectation
            over the posterior.
    """

    patches: int
    samples: int
    bias2: float
    w2: Figure
    variance: float
    mse: float
    chi2: float
    crps: float
    crps_exact: float
    coverage_90: float
    coverage_90_blocks: float

    def json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def score(
    solver: Solver, prior: MixturePrior, patches: int = 12, samples: int = 24, psf: np.ndarray | None = None
) -> Score:
    """Run a solver on ``patches`` patches, ``samples`` times each; the blur is ``shake(BLUR)`` by default."""
    kernel = shake(BLUR) if psf is None else psf
    scenes = [PatchScene.make(prior.mixture, kernel, SIGMA, i) for i in range(patches)]
    y = torch.stack([s.y for s in scenes]).repeat_interleave(samples, 0)
    x = runs.draw(solver, prior, y, scenes[0].psf, SIGMA, runs.generators(len(y), "mixture"))
    return marked(scenes, x.view(patches, samples, SIDE, SIDE))


def marked(scenes: list[PatchScene], x: Tensor) -> Score:
    """The scores of samples x (patches, samples, 16, 16), at least two of each patch."""
    mmse = torch.stack([s.posterior.variance().sum() for s in scenes])
    centre = torch.stack([s.posterior.mean() for s in scenes]).view(len(scenes), SIDE, SIDE)
    n = x.shape[1]
    variance = x.var(1).sum((1, 2))
    off = ((x.mean(1) - centre) ** 2).sum((1, 2)) - variance / n
    residual = torch.stack([s.y - s.blurred(xi) for s, xi in zip(scenes, x, strict=True)])
    ideal = _exact(scenes, REPEATS * n, "ideal")
    covered = [coverage.of_samples(xi.flatten(1), s.posterior, SIDE) for s, xi in zip(scenes, x, strict=True)]
    return Score(
        patches=len(scenes),
        samples=n,
        bias2=float(off.sum() / mmse.sum()),
        w2=_w2(scenes, x, ideal, mmse),
        variance=float(variance.sum() / mmse.sum()),
        mse=float(1 + (off + variance).sum() / mmse.sum()),
        chi2=float((residual**2).mean()) / scenes[0].sigma ** 2,
        crps=_crps(scenes, x),
        crps_exact=_crps(scenes, ideal),
        coverage_90=float(np.mean([c.pixels for c in covered])),
        coverage_90_blocks=float(np.mean([c.blocks for c in covered])),
    )


def _w2(scenes: list[PatchScene], x: Tensor, ideal: list[Tensor], mmse: Tensor) -> Figure:
    """W₂ over √MMSE, and how far it reaches one standard error (over patches) of its square up."""
    n = x.shape[1]
    squares = []
    for s, xi, exact in zip(scenes, x, ideal, strict=True):
        values, axes = torch.linalg.eigh(s.posterior.covariance())
        spread = values.clamp(min=0).sqrt()
        by_chance = [_along(e.flatten(1), s.posterior.mean(), axes, spread) for e in exact.split(n)]
        squares.append(_along(xi.flatten(1), s.posterior.mean(), axes, spread) - sum(by_chance) / len(by_chance))
    share = torch.tensor(squares, dtype=torch.float64) / mmse.sum()
    square, error = float(share.sum()), float(share.std()) * math.sqrt(len(share))
    root = math.sqrt(max(square, 0.0))
    return Figure(root, math.sqrt(max(square, 0.0) + error) - root)


def _along(x: Tensor, mean: Tensor, axes: Tensor, spread: Tensor) -> float:
    """Σ (mean - mean')² + (sd - sd')² of samples x (n, d) along orthonormal axes (d, d)."""
    along = (x - mean) @ axes
    return float((along.mean(0) ** 2).sum() + ((along.std(0) - spread) ** 2).sum())


def _exact(scenes: list[PatchScene], n: int, what: str) -> list[Tensor]:
    """n draws (n, 16, 16) of each posterior."""
    rngs = runs.generators(len(scenes), "mixture", what)
    return [s.posterior.draw(n, rng).view(-1, SIDE, SIDE) for s, rng in zip(scenes, rngs, strict=True)]


def _crps(scenes: list[PatchScene], samples: Tensor | list[Tensor]) -> float:
    """In expectation over what the truth may be: over TRUTHS draws of the posterior."""
    truths = _exact(scenes, TRUTHS, "truths")
    pairs = zip(truths, samples, strict=True)
    return float(np.mean([crps(t, x.numpy()) for some, x in pairs for t in some.numpy()]))
