"""What happens in a solver's process: a Problem from what it is given, an estimate from the solver, its time.

This process never holds the truth. What it gives back is checked again where it is scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bench.contracts import COUNTS, Cost
from bench.errors import SolverError
from bench.grid.cells import Ref, instance
from bench.imaging.blur import Boundary
from bench.methods.make_problem import Sensed, assemble
from bench.methods.problem import Prior, Problem, Solver
from bench.running.complexity import complexity
from bench.running.environment import peak_mb, reset_peak
from bench.seeds import keyed

if TYPE_CHECKING:
    from bench.methods.diffusion.denoiser import Denoiser, PriorModel

#: A first solve that took less is not what a warm call takes: it is timed again.
WARM_BELOW = 1.0
#: what a column of counts holds
MOST = 2**31


@dataclass(frozen=True)
class Given:
    """What a solver's process is given of a batch, besides the measurements. Plain data.

    Attributes:
        keys: of each measurement, what the solver's random generator is keyed with.
        blind: the solver gets neither PSF nor noise level.
        sigma_factor: noise standard deviation that it assumes, over the true one.
        prior: of a solver that needs one.
        prior_files: hash of the files that the prior's parameters name.
        calibration: file of what was measured of the prior, if anything was.
        warm: its seconds are compared, and are to be those of a warm call.
    """

    solver: Ref
    samples: int
    keys: Sequence[int]
    boundary: Boundary
    dtype: str
    device: str
    blind: bool
    sigma_factor: float
    prior: Ref | None = None
    prior_files: str | None = None
    calibration: str | None = None
    warm: bool = True


@dataclass(frozen=True)
class Attempt:
    """What a solver came to.

    Attributes:
        x: its estimate or its samples, (K, B, C, H, W) in the type of the problem.
        cost: columns of its row: calls counted, seconds, peak memory in MiB, a note on the prior.
    """

    x: np.ndarray
    cost: dict[str, Any]


def attempt(given: Given, sensed: Sequence[Sensed]) -> Attempt:
    """Solve a batch: one solver, measurements of one image size and PSF size. Raises what the solver raises."""
    solver = instance(given.solver)
    assert isinstance(solver, Solver)
    reset_peak(given.device)
    x, problem, seconds = _timed(solver, given, sensed)
    peak = peak_mb(given.device)
    if given.warm and seconds < WARM_BELOW and _cold(given, sensed[0].y.shape):
        # Another problem of the same size: what a solver has stored of this one must not make it look fast.
        with suppress(Exception):
            _, _, seconds = _timed(solver, given, [s.mirrored() for s in sensed])
    columns = {**counts(vars(problem.cost)), **complexity(problem.cost, len(sensed))}
    if given.prior is not None:
        columns["prior_note"] = "; ".join(problem.prior.notes) or None
    columns |= {"seconds": seconds / len(sensed), "peak_rss_mb": peak}
    return Attempt(x.detach().cpu().numpy(), columns)


def _timed(solver: Solver, given: Given, sensed: Sequence[Sensed]) -> tuple[torch.Tensor, Problem, float]:
    problem = problem_of(given, sensed)
    shape, dtype, n = problem.y.shape, problem.y.dtype, given.samples
    _synchronise(given.device)
    start = time.perf_counter()
    with torch.no_grad():
        x = solver.samples(problem, n) if n > 1 else solver.solve(problem)
    _synchronise(given.device)
    seconds = time.perf_counter() - start
    _check(x, (n, *shape) if n > 1 else shape, dtype)
    return x if n > 1 else x[None], problem, seconds


def problem_of(given: Given, sensed: Sequence[Sensed], cost: Cost | None = None) -> Problem:
    """What the solver is handed; calls are counted in ``cost``, a new one by default."""
    return assemble(
        sensed,
        [keyed(k) for k in given.keys],
        boundary=given.boundary,
        dtype=getattr(torch, given.dtype),
        device=given.device,
        sigma_factor=given.sigma_factor,
        blind=given.blind,
        prior=None if given.prior is None else _prior(given.prior, given),
        cost=cost,
    )


def _prior(ref: Ref, given: Given) -> Callable[[Cost], Denoiser]:
    from bench.methods.diffusion.denoiser import Denoiser, measured_error

    model = _model(ref, given.prior_files, getattr(torch, given.dtype), given.device)
    error = None if given.calibration is None else measured_error(given.calibration)
    return lambda cost: Denoiser(model, cost, error)


@lru_cache(maxsize=2)
def _model(ref: Ref, _files: str | None, dtype: torch.dtype, device: str) -> PriorModel:
    """The prior's model, loaded once per process and again when its files changed."""
    from bench.methods.diffusion.denoiser import placed

    prior = instance(ref)
    assert isinstance(prior, Prior)
    return placed(prior.load(), dtype, device)


def _check(x: object, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if not isinstance(x, torch.Tensor):
        raise SolverError(f"the solver returned {type(x).__name__}, not a tensor")
    if x.shape != shape:
        raise SolverError(f"the solver returned the shape {tuple(x.shape)}, not {tuple(shape)}")
    if x.dtype != dtype:
        raise SolverError(f"the solver returned {x.dtype}, not {dtype}, which problem.y has")
    if bad := int((~torch.isfinite(x)).sum()):
        raise SolverError(f"the estimate has {bad} non-finite values")


def counts(cost: Mapping[str, object]) -> dict[str, int]:
    """The calls that were counted. Raises SolverError where a solver has made something else of a count."""
    checked = {}
    for name in COUNTS:
        value = cost.get(name)
        if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) < MOST:
            what = repr(value)[:80] if isinstance(value, int | float | str | None) else type(value).__name__
            raise SolverError(f"problem.cost.{name} is {what}; counts are whole numbers from 0 to {MOST - 1}")
        checked[name] = int(value)
    return checked


_warm: set[tuple[int, tuple[int, ...]]] = set()


def _cold(given: Given, shape: tuple[int, ...]) -> bool:
    """Whether this process, which knows one solver alone, solves something of this size for the first time."""
    known = (given.samples, shape) in _warm
    _warm.add((given.samples, shape))
    return not known


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
