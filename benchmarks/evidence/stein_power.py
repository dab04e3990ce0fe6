"""How often the Stein discrepancy rejects samples whose variance is wrong, where the posterior is known.

    python benchmarks/evidence/stein_power.py [--samples 32] [--scenes 40] [--pixels]

On scenes of the main Gaussian oracle, samples have the posterior's mean and a multiple of its variance. --pixels
takes one kernel over all pixels in place of one for each Fourier mode.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from bench.verify import stein
from bench.verify.oracles.gaussian import GaussianPrior, Scene

#: seed of the noise that is added; scenes take the smaller ones
NOISE = 20261125
VARIANCES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)


def drawn(scene: Scene, variance: float, n: int, seed: int) -> Tensor:
    """(n, H, W)."""
    white = torch.randn(n, *scene.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return scene.mean + torch.fft.ifft2(torch.fft.fft2(white) * (variance * scene.variance).sqrt()).real


def over_pixels(x: Tensor, given: stein.Measured, prior: GaussianPrior) -> float:
    """p with the kernel (1 + |x - x'|²/h²)^(-1/2), h the median distance, of whole pictures and their scores."""
    sigma = stein.PART * given.sigma
    noisy = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(NOISE), dtype=x.dtype)
    u, s = noisy.flatten(1), stein.posterior_score(noisy, given, prior, sigma).flatten(1)
    square, d = torch.cdist(u, u) ** 2, u.shape[1]
    h2 = square[square > 0].median()
    q, own, across = 1 + square / h2, (s * u).sum(1), s @ u.T
    cross = (own[:, None] - across + own - across.T) / h2  # (s - s')ᵀ(u - u')
    H = (s @ s.T) / q.sqrt() + cross / q**1.5 + d / h2 / q**1.5 - 3 * square / h2**2 / q**2.5
    return stein.tested(H)[1]


def main() -> None:
    """Print a line for each variance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--pixels", action="store_true")
    given = parser.parse_args()
    prior = GaussianPrior()
    print("variance over the posterior's: rejected at 5 %, variance told by ring")
    for variance in VARIANCES:
        p, told = [], []
        for i in range(given.scenes):
            scene = Scene.make(prior, 0.1, index=i)
            measured = stein.Measured(scene.y, scene.psf, scene.sigma)
            x = drawn(scene, variance, given.samples, i)
            if given.pixels:
                p.append(over_pixels(x, measured, prior))
                continue
            score = stein.of_samples(x, measured, prior)
            p.append(score.p)
            told.append([b.variance for b in score.bands])
        by_ring = np.mean(told, 0).round(2) if told else ""
        print(f"{variance:5.2f}  {(np.array(p) < 0.05).mean():.2f}  {by_ring}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
