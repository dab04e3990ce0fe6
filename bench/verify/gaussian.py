"""A solver against the Gaussian oracle: its moments beside the posterior's and beside the exact sampler's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Cost
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.problem import Solver
from bench.scoring.posterior import crps
from bench.verify import coverage, linear, runs
from bench.verify.oracles import exact, moments
from bench.verify.oracles.colour import ColourPrior, ColourScene, aligned
from bench.verify.oracles.gaussian import GaussianPrior, Scene, Texture, bow, disk
from bench.verify.oracles.moments import Figure, Moments


class Oracle(NamedTuple):
    """One problem with a known posterior.

    Attributes:
        name: how the certificate calls it.
        texture: the power spectrum of its images.
        psf: its blur (h, w); None for the bent one of ``shake()``.
        sigma: standard deviation of the noise, in [-1, 1] units.
        M: covariance of the channels (3, 3), of colour pictures; None for gray ones.
    """

    name: str
    texture: Texture
    psf: np.ndarray | None
    sigma: float
    M: Tensor | None = None

    def without_blur(self) -> Oracle:
        """For a solver that removes noise alone."""
        return self._replace(psf=np.ones((1, 1)))

    def scene(self) -> tuple[PriorModel, Scene | ColourScene]:
        """The exact denoiser of its images, and its measurement."""
        if self.M is None:
            gray = GaussianPrior(texture=self.texture)
            return gray, Scene.make(gray, self.sigma, psf=self.psf)
        colour = ColourPrior(self.M, self.texture)
        return colour, ColourScene.make(colour, self.sigma, psf=self.psf)


#: The first is the main one. Defaults of our solvers were set where it stands.
ORACLES = tuple(Oracle(f"σ {sigma:g}", Texture(), None, sigma) for sigma in (0.1, 0.02, 0.05, 0.3))
#: On these no default of any solver is set, and none may be.
HELD_OUT = (
    Oracle("held out: disk, σ 0.1", Texture(1.6, 3.0), disk(), 0.1),
    Oracle("held out: bow, σ 0.05", Texture(0.9, 1.0), bow(), 0.05),
)
#: Pictures of three channels that correlate as those of photographs do.
COLOUR = Oracle("colour, σ 0.1", Texture(), None, 0.1, aligned())
#: Two sets of moments that agree to this are the same.
SAME = 1e-5


@dataclass(frozen=True)
class Score:
    """What came out on one oracle; everything but χ², CRPS and coverage is relative to the posterior.

    Attributes:
        oracle: its name.
        sigma: of the noise, in [-1, 1] units.
        moments: how mean and variance were had; see ``bench.verify.linear.How``.
        samples: number drawn; None when the moments are exact.
        bias2: |E x - E[x | y]|² over the MMSE.
        w2: distance to the posterior over the root of the MMSE; 1 for the posterior mean as point estimate.
        observed, null: variance over the posterior's where |k|² S > σ², and elsewhere.
        mse: mean squared error of one sample over the MMSE; 2 for exact samples.
        chi2: E|y - A x|² / (m σ²), and that of exact samples for this y.
        crps: of the truth, and that of the posterior.
        coverage_90, coverage_90_blocks: of the 90 % interval, of pixels and of means of 8 × 8 pixels.
        exact: W₂ of the posterior's own score integrated by DDPM steps (uniform in t) in the same number of calls.
        exact_second: the same by DPM-Solver++(2M), uniform in log-SNR.
        identity: the moments are those of the exact score in as many steps of some integrator: for a Gaussian prior
            the solver's formula is the exact conditional denoiser, and W₂ tells the integrator's error alone.
    """

    oracle: str
    sigma: float
    moments: linear.How
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
    coverage_90: float
    coverage_90_blocks: float
    exact: float | None
    exact_second: float | None
    identity: bool

    def json(self) -> dict[str, Any]:
        """Plain data; each Figure as value and error."""
        return asdict(self)


def score(solver: Solver, oracle: Oracle, samples: int, calls: int) -> Score:
    """Run a solver on one oracle: exact moments where it is affine in its draws, else from ``samples`` samples.

    Colour pictures are scored in the independent components of their prior, all frequencies of all three together.

    Args:
        calls: network evaluations of the solver, for the exact sampler.
    """
    prior, given = oracle.scene()
    how, own = linear.moments(solver, prior, given)
    scene, drawn = given.apart, None
    if own is None:
        y, rngs = given.y.expand(samples, *given.y.shape), runs.generators(samples, oracle.sigma)
        drawn = given.components(runs.draw(solver, prior, y, scene.psf, oracle.sigma, rngs))
        own = Moments.of(drawn)
    ideal, bias2 = Moments(scene.mean, scene.variance), moments.bias2(own, scene)
    pixels, blocks = coverage.of_moments(own, scene)
    return Score(
        oracle=oracle.name,
        sigma=oracle.sigma,
        moments=how,
        samples=None if drawn is None else samples,
        bias2=bias2,
        w2=moments.w2(own, scene),
        observed=moments.ratio(own, scene, scene.observed),
        null=moments.ratio(own, scene, ~scene.observed),
        mse=1 + bias2.value + float(own.variance.sum() / scene.variance.sum()),
        chi2=moments.chi2(own, scene),
        chi2_exact=moments.chi2(ideal, scene),
        crps=moments.crps(own, scene) if drawn is None else crps(scene.truth.numpy(), drawn.numpy()),
        crps_exact=moments.crps(ideal, scene),
        coverage_90=pixels,
        coverage_90_blocks=blocks,
        exact=_exact(scene, prior, calls, "ancestral", "uniform"),
        exact_second=_exact(scene, prior, calls, "dpm", "logsnr"),
        identity=drawn is None and _is_exact_score(own, scene, prior, calls),
    )


def calls(solver: Solver, psf: np.ndarray | None = None) -> Cost:
    """What it costs to solve for one image of the main oracle."""
    prior = GaussianPrior()
    scene = Scene.make(prior, ORACLES[0].sigma, psf=psf)
    one = runs.problem(solver, prior, scene.y[None], scene.psf, scene.sigma, runs.generators(1))
    runs.solve(solver, one)
    return one.cost


def _exact(
    scene: Scene, prior: PriorModel, n: int, integrator: exact.Integrator, spacing: exact.Spacing
) -> float | None:
    if n == 0:
        return None
    return moments.w2(exact.moments(scene, prior.schedule, n, integrator, spacing), scene).value


def _is_exact_score(own: Moments, scene: Scene, prior: PriorModel, n: int) -> bool:
    """Whether these are the moments of the exact score after n steps of one of the integrators."""
    if n == 0:
        return False
    for integrator in exact.INTEGRATORS:
        for spacing in ("logsnr", "uniform", "quad"):
            ideal = exact.moments(scene, prior.schedule, n, integrator, spacing)
            if torch.allclose(own.mean, ideal.mean, rtol=0, atol=SAME) and torch.allclose(
                own.variance.sqrt(), ideal.variance.sqrt(), rtol=SAME, atol=SAME
            ):
                return True
    return False
