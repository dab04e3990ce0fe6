"""Cells into numbers: measure, solve, time, score. Nothing here stores, shows or tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from bench.contracts import Cost
from bench.errors import SolverError
from bench.grid.cells import Cell, Shot, instance
from bench.imaging.measure import Measurement, array_sha
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem, Solver
from bench.metrics.evaluate import Context, evaluate
from bench.running import exposure
from bench.running.environment import peak_mb, reset_peak

if TYPE_CHECKING:
    from bench.methods.diffusion.denoiser import Denoiser

#: A first solve that took less is repeated, so that the time reported is that of a warm call.
WARM_BELOW = 1.0


class Solved(NamedTuple):
    """What a cell came to.

    Attributes:
        outcome: the columns of its row that solving tells.
        measurement: what the solver was given, with the truth.
        x: its estimate or its samples, float64 (K, C, H, W).
    """

    outcome: dict[str, Any]
    measurement: Measurement
    x: np.ndarray


def solve(cells: Sequence[Cell], device: str) -> list[Solved]:
    """Solve a batch: one solver, shots of one image size and PSF size, in order. Raises what the solver raises."""
    shots = [shot_of(c) for c in cells]
    # On a CPU a batch is slower than its images one by one, and FFTs would round differently with its size.
    alike = device != "cpu" and len({(s.measurement.y.shape, s.assumed_psf.shape) for s in shots}) == 1
    if len(cells) > 1 and not alike:
        return [done for cell in cells for done in solve([cell], device)]
    solver = instance(cells[0].solver)
    assert isinstance(solver, Solver)
    reset_peak(device)
    samples, cost, seconds = _timed(solver, cells, shots, device)
    x = samples.detach().to("cpu", torch.float64).numpy()  # (K, B, C, H, W)
    shared = {**vars(cost), "seconds": seconds / len(cells), "peak_rss_mb": peak_mb(device)}
    return [
        Solved(_outcome(c, s, xi, shared), s.measurement, xi)
        for c, s, xi in zip(cells, shots, x.swapaxes(0, 1), strict=True)
    ]


def _timed(
    solver: Solver, cells: Sequence[Cell], shots: Sequence[_Shot], device: str
) -> tuple[torch.Tensor, Cost, float]:
    samples, cost, seconds = _once(solver, cells, shots, device)
    if seconds < WARM_BELOW and _cold(type(solver), shots[0].measurement.y.shape):
        return _once(solver, cells, shots, device)
    return samples, cost, seconds


def _once(
    solver: Solver, cells: Sequence[Cell], shots: Sequence[_Shot], device: str
) -> tuple[torch.Tensor, Cost, float]:
    problem = _problem(solver, cells, shots, device)
    _synchronise(device)
    start = time.perf_counter()
    with torch.no_grad():
        n = cells[0].samples
        x = solver.samples(problem, n) if n > 1 else solver.solve(problem)
    _synchronise(device)
    seconds = time.perf_counter() - start
    _check(x, (n, *problem.y.shape) if n > 1 else problem.y.shape)
    return x if n > 1 else x[None], problem.cost, seconds


def _problem(solver: Solver, cells: Sequence[Cell], shots: Sequence[_Shot], device: str) -> Problem:
    return assemble(
        [s.measurement for s in shots],
        [exposure.solver_generator(c.shot, c.solver.name) for c in cells],
        boundary=cells[0].shot.boundary,
        dtype=getattr(torch, cells[0].protocol["dtype"]),
        device=device,
        assumed_psf=[s.assumed_psf for s in shots],
        sigma_factor=cells[0].shot.degradation.sigma_factor,
        blind=solver.blind,
        prior=_prior(cells[0], device) if solver.needs_prior else None,
    )


def _prior(cell: Cell, device: str) -> Callable[[Cost], Denoiser]:
    from bench.methods.networks.priors import denoiser

    dtype = getattr(torch, cell.protocol["dtype"])
    return partial(denoiser, cell.solver.settings["weights"], dtype, device)


def _check(x: object, shape: tuple[int, ...]) -> None:
    if not isinstance(x, torch.Tensor):
        raise SolverError(f"the solver returned {type(x).__name__}, not a tensor")
    if x.shape != shape:
        raise SolverError(f"the solver returned the shape {tuple(x.shape)}, not {tuple(shape)}")
    if not x.dtype.is_floating_point:
        raise SolverError(f"solve() returned {x.dtype}, not a floating point type")
    if bad := int((~torch.isfinite(x)).sum()):
        raise SolverError(f"the estimate has {bad} non-finite values")


# --- shots ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shot:
    measurement: Measurement
    assumed_psf: np.ndarray
    context: Context
    input_metrics: dict[str, float | None]
    columns: dict[str, Any]


@lru_cache(maxsize=256)
def _shot(shot: Shot, border: int, clip: bool, names: tuple[str, ...]) -> _Shot:
    measurement, exposed = exposure.expose(shot)
    C, H, W = measurement.y.shape
    columns = {
        "height": H,
        "width": W,
        "channels": C,
        "T": measurement.T,
        "psf_sha": array_sha(measurement.psf),
        "psf_note": exposed.note,
        "y_sha": measurement.sha,
    }
    context = Context(measurement.y, measurement.psf, measurement.level, shot.boundary, border=border, clip=clip)
    scores = evaluate(names, measurement.truth, measurement.y, context)
    return _Shot(measurement, exposure.assumed_psf(measurement, shot), context, scores, columns)


def shot_of(cell: Cell) -> _Shot:
    """The measurement of a cell with its columns, remembered for the next solver."""
    return _shot(cell.shot, cell.protocol["border"], cell.protocol["clip"], cell.metrics)


def _outcome(cell: Cell, shot: _Shot, x: np.ndarray, shared: dict[str, Any]) -> dict[str, Any]:
    scores = evaluate(cell.metrics, shot.measurement.truth, x, shot.context)
    return {
        "status": "ok",
        **shot.columns,
        **shared,
        **{f"m_{k}": v for k, v in scores.items()},
        **{f"in_{k}": v for k, v in shot.input_metrics.items()},
    }


_warm: set[tuple[type, tuple[int, ...]]] = set()


def _cold(solver: type, shape: tuple[int, ...]) -> bool:
    known = (solver, shape) in _warm
    _warm.add((solver, shape))
    return not known


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
