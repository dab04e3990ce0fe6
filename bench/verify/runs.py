"""Running any solver on the problems of an oracle."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Cost, NoiseLevel
from bench.errors import BenchError, SolverError, line_of, message_of
from bench.imaging.blur import Blur
from bench.imaging.measure import Measurement
from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem, Solver
from bench.seeds import generator

#: Images that ride together: more leave the cache.
TOGETHER = 64


def problem(
    solver: Solver, prior: PriorModel, y: Tensor, psf: np.ndarray, sigma: float, rngs: Sequence[np.random.Generator]
) -> Problem:
    """The circular problem of measurements y (B, H, W) or (B, C, H, W) in [-1, 1] units, float64.

    ``sigma`` is in the same units.
    """
    level = NoiseLevel(0.0, sigma / 2)
    pictures = [((yi + 1) / 2).numpy().reshape(-1, *y.shape[-2:]) for yi in y]
    measured = [Measurement(y=yi, truth=yi, psf=psf, T=1.0, level=level) for yi in pictures]
    return assemble(
        measured,
        rngs,
        boundary="circular",
        dtype=torch.float64,
        blind=solver.blind,
        prior=(lambda cost: Denoiser(prior, cost)) if solver.needs_prior else None,
    )


def scaled(problem: Problem, c: float) -> Problem:
    """The same problem in other units: (y, K, σ) -> c (y, K, σ), y in the units that the solver works in."""
    sampler = hasattr(problem, "prior")
    offset = 1.0 if sampler else 0.0  # samplers see 2 y - 1
    y = (c * (2 * problem.y - offset) + offset) / 2
    cost, blur = Cost(), problem.blur
    prior = Denoiser(problem.prior.prior, cost) if sampler else None
    noise = NoiseLevel(problem.noise.gain, c * problem.noise.sigma)
    return Problem(y, Blur(c * blur.psf, blur.shape, blur.boundary, cost), noise, problem.rng, cost, prior)


def solve(solver: Solver, problem: Problem) -> Tensor:
    """Estimates (B, H, W) in [-1, 1] units, of colours (B, C, H, W).

    Raises SolverError when they are not finite or have another shape, and with the line where the solver raises.
    """
    try:
        with torch.no_grad():
            x = solver.solve(problem)
    except BenchError:
        raise
    except Exception as error:  # a plug-in may raise anything
        at = line_of(error, Path(inspect.getfile(type(solver))))
        raise SolverError(f"{at}: solve() raised {type(error).__name__}: {message_of(error)}") from error
    if x.shape != problem.y.shape:
        raise SolverError(f"solve() returned the shape {tuple(x.shape)}, y has {tuple(problem.y.shape)}")
    if bad := int((~torch.isfinite(x)).sum()):
        raise SolverError(f"the estimate of the oracle's problem has {bad} non-finite values")
    return 2 * (x[:, 0] if x.shape[1] == 1 else x).double() - 1


def draw(
    solver: Solver, prior: PriorModel, y: Tensor, psf: np.ndarray, sigma: float, rngs: Sequence[np.random.Generator]
) -> Tensor:
    """``solve`` on measurements y (B, H, W) or (B, C, H, W), in batches of at most TOGETHER."""
    starts = range(0, len(y), TOGETHER)
    parts = [problem(solver, prior, y[i : i + TOGETHER], psf, sigma, rngs[i : i + TOGETHER]) for i in starts]
    return torch.cat([solve(solver, p) for p in parts])


def generators(n: int, *key: object) -> list[np.random.Generator]:
    """n generators, the i-th the same whatever n."""
    return [generator("verify", *key, i) for i in range(n)]
