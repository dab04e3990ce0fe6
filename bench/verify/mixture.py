"""A solver against the mixture oracle: where the posterior is not Gaussian but known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.methods.problem import Solver
from bench.metrics.posterior import crps
from bench.verify import runs
from bench.verify.oracles.gaussian import shake
from bench.verify.oracles.mixture import SIDE, MixturePrior, PatchScene

SIGMA = 0.1
#: Length of the blur in pixels.
BLUR = 8.0
#: Truths that might have been, for the CRPS of each patch.
TRUTHS = 24


@dataclass(frozen=True)
class Score:
    """Means over several patches.

    Attributes:
        patches, samples: number of patches, and of samples of each.
        bias2: |E x - E[x | y]|² over the MMSE, corrected for the number of samples.
        variance: over the posterior's.
        mse: mean squared error of one sample, in expectation over the posterior, over the MMSE; 2 for exact samples.
        chi2: E|y - A x|² / (m σ²).
        crps, crps_exact: in expectation over the truth given y; exact: of exact samples.
    """

    patches: int
    samples: int
    bias2: float
    variance: float
    mse: float
    chi2: float
    crps: float
    crps_exact: float

    def json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def score(
    solver: Solver, prior: MixturePrior, patches: int = 8, samples: int = 8, psf: np.ndarray | None = None
) -> Score:
    """Run a solver on ``patches`` patches, ``samples`` times each; the blur is ``shake(BLUR)`` by default."""
    kernel = shake(BLUR) if psf is None else psf
    scenes = [PatchScene.make(prior.mixture, kernel, SIGMA, i) for i in range(patches)]
    y = torch.stack([s.y for s in scenes]).repeat_interleave(samples, 0)
    x = runs.draw(solver, prior, y, scenes[0].psf, SIGMA, runs.generators(len(y), "mixture"))
    return marked(scenes, x.view(patches, samples, SIDE, SIDE))


def marked(scenes: list[PatchScene], x: Tensor) -> Score:
    """The scores of samples x (patches, samples, 16, 16)."""
    mmse = torch.stack([s.posterior.variance().sum() for s in scenes])
    centre = torch.stack([s.posterior.mean() for s in scenes]).view(len(scenes), SIDE, SIDE)
    n = x.shape[1]
    variance = x.var(1).sum((1, 2)) if n > 1 else torch.zeros_like(mmse)
    off = ((x.mean(1) - centre) ** 2).sum((1, 2)) - variance / n
    residual = torch.stack([s.y - s.blurred(xi) for s, xi in zip(scenes, x, strict=True)])
    ideal = _exact(scenes, 16 * n, "ideal")
    return Score(
        patches=len(scenes),
        samples=n,
        bias2=float(off.sum() / mmse.sum()),
        variance=float(variance.sum() / mmse.sum()),
        mse=float(1 + (off + variance).sum() / mmse.sum()),
        chi2=float((residual**2).mean()) / scenes[0].sigma ** 2,
        crps=_crps(scenes, x),
        crps_exact=_crps(scenes, ideal),
    )


def _exact(scenes: list[PatchScene], n: int, what: str) -> list[Tensor]:
    """n draws (n, 16, 16) of each posterior."""
    rngs = runs.generators(len(scenes), "mixture", what)
    return [s.posterior.draw(n, rng).view(-1, SIDE, SIDE) for s, rng in zip(scenes, rngs, strict=True)]


def _crps(scenes: list[PatchScene], samples: Tensor | list[Tensor]) -> float:
    """In expectation over what the truth may be: over TRUTHS draws of the posterior."""
    truths = _exact(scenes, TRUTHS, "truths")
    pairs = zip(truths, samples, strict=True)
    return float(np.mean([crps(t, x.numpy()) for some, x in pairs for t in some.numpy()]))
