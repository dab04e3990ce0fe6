"""What happens in a worker process: a batch of cells in, one outcome for each out."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from bench import exposure, metrics
from bench.assemble import assemble
from bench.cells import Cell, Ref, Shot
from bench.contracts import Cost, Problem, Solver
from bench.environment import env_id, environment, peak_mb, reset_peak
from bench.errors import SolverError
from bench.kept import keep_picture
from bench.measure import Measurement, array_sha
from bench.shared import Shared

if TYPE_CHECKING:
    from bench.diffusion.denoiser import Denoiser

#: A first solve that took less is repeated, so that the time reported is that of a warm call.
WARM_BELOW = 1.0


_shared = Shared()


def start(shared: Shared) -> None:
    """Prepare this process: threads, memory limit, and an end if the parent should die."""
    global _shared  # one worker, one configuration: called before any task
    _shared = shared
    torch.set_num_threads(shared.threads)
    threadpool_limits(shared.threads)  # BLAS in numpy and scipy: workers must not fight over the cores
    if shared.device.startswith("cuda"):  # the CPU is deterministic, and this import of the compiler takes seconds
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    if shared.memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (shared.memory, shared.memory))
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def check(refs: Sequence[Ref]) -> None:
    """Build solvers, so that a wrong setting stops the run before anything is computed."""
    for ref in refs:
        exposure.instance(ref)


def run(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Solve a batch: one solver, shots of one image size and PSF size. Returns one outcome per cell, in order."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    context = {
        "batch": 1 if _shared.device == "cpu" else len(cells),
        "device": _shared.device,
        "env_id": env_id(_shared.device),
        "started_at": started,
    }
    try:
        outcomes = _solve(cells)
    except Exception as error:  # every failure of a plug-in is a row, never the end of the run
        if len(cells) > 1:
            return [o for cell in cells for o in run([cell])]  # find out whose fault it was
        outcomes = [{"status": _status(error), "error_type": type(error).__name__, "error_message": str(error)[:500]}]
    context["environment"] = _introduction()  # last: what is thrown away above would take it along
    return [{**context, **o} for o in outcomes]


def _solve(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    shots = [shot_of(c) for c in cells]
    # On a CPU a batch is slower than its images one by one, and FFTs would round differently with its size.
    alike = _shared.device != "cpu" and len({(s.measurement.y.shape, s.told.shape) for s in shots}) == 1
    if len(cells) > 1 and not alike:
        return [o for cell in cells for o in _solve([cell])]
    solver = exposure.instance(cells[0].solver)
    assert isinstance(solver, Solver)
    reset_peak(_shared.device)
    samples, cost, seconds = _timed(solver, cells, shots)
    x = samples.detach().to("cpu", torch.float64).numpy()  # (K, B, C, H, W)
    shared = {**vars(cost), "seconds": seconds / len(cells), "peak_rss_mb": peak_mb(_shared.device)}
    return [_outcome(c, s, xi, shared) for c, s, xi in zip(cells, shots, x.swapaxes(0, 1), strict=True)]


def _timed(solver: Solver, cells: Sequence[Cell], shots: Sequence[_Shot]) -> tuple[torch.Tensor, Cost, float]:
    samples, cost, seconds = _once(solver, cells, shots)
    if seconds < WARM_BELOW and _cold(type(solver), shots[0].measurement.y.shape):
        return _once(solver, cells, shots)
    return samples, cost, seconds


def _once(solver: Solver, cells: Sequence[Cell], shots: Sequence[_Shot]) -> tuple[torch.Tensor, Cost, float]:
    problem = _problem(solver, cells, shots)
    _synchronise()
    start = time.perf_counter()
    with torch.no_grad():
        n = cells[0].samples
        x = solver.samples(problem, n) if n > 1 else solver.solve(problem)
    _synchronise()
    seconds = time.perf_counter() - start
    _check(x, (n, *problem.y.shape) if n > 1 else problem.y.shape)
    return x if n > 1 else x[None], problem.cost, seconds


def _problem(solver: Solver, cells: Sequence[Cell], shots: Sequence[_Shot]) -> Problem:
    return assemble(
        [s.measurement for s in shots],
        [exposure.solver_generator(c.shot, c.solver.name) for c in cells],
        boundary=cells[0].shot.boundary,
        dtype=getattr(torch, cells[0].protocol["dtype"]),
        device=_shared.device,
        told_psf=[s.told for s in shots],
        sigma_factor=cells[0].shot.degradation.sigma_factor,
        blind=solver.blind,
        prior=_prior(cells[0]) if solver.needs_prior else None,
    )


def _prior(cell: Cell) -> Callable[[Cost], Denoiser]:
    from bench.priors import denoiser

    dtype = getattr(torch, cell.protocol["dtype"])
    return partial(denoiser, cell.solver.settings["weights"], dtype, _shared.device)


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
    told: np.ndarray
    context: metrics.Context
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
    context = metrics.Context(
        measurement.y, measurement.psf, measurement.level, shot.boundary, border=border, clip=clip
    )
    scores = metrics.evaluate(names, measurement.truth, measurement.y, context)
    return _Shot(measurement, exposure.told_psf(measurement, shot), context, scores, columns)


def shot_of(cell: Cell) -> _Shot:
    """The measurement of a cell with its columns, remembered for the next solver."""
    return _shot(cell.shot, cell.protocol["border"], cell.protocol["clip"], cell.metrics)


def _outcome(cell: Cell, shot: _Shot, x: np.ndarray, shared: dict[str, Any]) -> dict[str, Any]:
    scores = metrics.evaluate(cell.metrics, shot.measurement.truth, x, shot.context)
    if cell.keep and _shared.pictures:
        keep_picture(Path(_shared.pictures), cell, shot.measurement, x)
    return {
        "status": "ok",
        **shot.columns,
        **shared,
        **{f"m_{k}": v for k, v in scores.items()},
        **{f"in_{k}": v for k, v in shot.input_metrics.items()},
    }


def _status(error: Exception) -> str:
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error).lower():
        return "oom"
    return "invalid" if isinstance(error, SolverError) else "error"


@lru_cache(maxsize=1)
def _introduced() -> list[bool]:
    return []


def _introduction() -> dict[str, str] | None:
    """The environment, once per worker: the journal need not repeat it on every line."""
    if _introduced():
        return None
    _introduced().append(True)
    return environment(_shared.device)


_warm: set[tuple[type, tuple[int, ...]]] = set()


def _cold(solver: type, shape: tuple[int, ...]) -> bool:
    known = (solver, shape) in _warm
    _warm.add((solver, shape))
    return not known


def _synchronise() -> None:
    if _shared.device.startswith("cuda"):
        torch.cuda.synchronize()
