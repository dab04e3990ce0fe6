"""A solver against the Gaussian oracle: its moments beside the posterior's and beside the exact sampler's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.contracts import Cost
from bench.methods.problem import Solver
from bench.metrics.posterior import crps
from bench.verify import linear, runs
from bench.verify.oracles import exact, moments
from bench.verify.oracles.gaussian import GaussianPrior, Scene
from bench.verify.oracles.moments import Figure, Moments

#: Standard deviations of the noise, in [-1, 1] units.
SIGMAS = (0.1, 0.05)


@dataclass(frozen=True)
class Score:
    """What came out at one noise level; everything but χ² and CRPS is relative to the posterior.

    Attributes:
        sigma: of the noise, in [-1, 1] units.
        samples: number drawn; None when the moments are exact.
        bias2: |E x - E[x | y]|² over the MMSE.
        w2: distance to the posterior over the root of the MMSE; 1 for the posterior mean as point estimate.
        observed, null: variance over the posterior's where |k|² S > σ², and elsewhere.
        mse: mean squared error of one sample over the MMSE; 2 for exact samples.
        chi2: E|y - A x|² / (m σ²), and that of exact samples for this y.
        crps: of the truth, and that of the posterior.
        exact: W₂ of the posterior's own score integrated by DDPM steps (uniform in t) in the same number of calls.
        exact_second: the same by DPM-Solver++(2M), uniform in log-SNR.
    """

    sigma: float
    samples: int | None
    bias2: Figure
    w2: Figure
    observed: Figure
    null: Figure
    mse: float
    chi2: float
    chi2_exact: float
    crps: float
    crps_exact: float
    exact: float | None
    exact_second: float | None

    def json(self) -> dict[str, Any]:
        """Plain data; each Figure as value and error."""
        return asdict(self)


def score(
    solver: Solver, prior: GaussianPrior, sigma: float, samples: int, calls: int, psf: np.ndarray | None = None
) -> Score:
    """Run a solver at one noise level: exact moments where it is linear, else from ``samples`` samples.

    Args:
        calls: network evaluations of the solver, for the exact sampler.
        psf: the blur, by default that of the oracle.
    """
    scene = Scene.make(prior, sigma, psf=psf)
    found, drawn = linear.moments(solver, prior, scene), None
    if found is None:
        y, rngs = scene.y.expand(samples, -1, -1), runs.generators(samples, sigma)
        drawn = runs.draw(solver, prior, y, scene.psf, sigma, rngs)
        found = Moments.of(drawn)
    ideal, bias2 = Moments(scene.mean, scene.variance), moments.bias2(found, scene)
    return Score(
        sigma=sigma,
        samples=None if drawn is None else samples,
        bias2=bias2,
        w2=moments.w2(found, scene),
        observed=moments.ratio(found, scene, scene.observed),
        null=moments.ratio(found, scene, ~scene.observed),
        mse=1 + bias2.value + float(found.variance.sum() / scene.variance.sum()),
        chi2=moments.chi2(found, scene),
        chi2_exact=moments.chi2(ideal, scene),
        crps=moments.crps(found, scene) if drawn is None else crps(scene.truth.numpy(), drawn.numpy()),
        crps_exact=moments.crps(ideal, scene),
        exact=_exact(scene, prior, calls, "ancestral", "uniform"),
        exact_second=_exact(scene, prior, calls, "dpm", "logsnr"),
    )


def calls(solver: Solver, prior: GaussianPrior, psf: np.ndarray | None = None) -> Cost:
    """What it costs to solve for one image."""
    scene = Scene.make(prior, SIGMAS[0], psf=psf)
    one = runs.problem(solver, prior, scene.y[None], scene.psf, scene.sigma, runs.generators(1))
    runs.solve(solver, one)
    return one.cost


def _exact(
    scene: Scene, prior: GaussianPrior, n: int, integrator: exact.Integrator, spacing: exact.Spacing
) -> float | None:
    if n == 0:
        return None
    return moments.w2(exact.moments(scene, prior.schedule, n, integrator, spacing), scene).value
