"""Measuring and scoring: what a worker does with the truth, around what a solver does without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bench.contracts import Context, Metric
from bench.grid.cells import Cell, Measure, Shot, instance
from bench.imaging.measure import Measurement, array_sha
from bench.methods.make_problem import Sensed
from bench.running import exposure
from bench.running.solve import Given
from bench.scoring.evaluate import Column, evaluate


@dataclass(frozen=True)
class Taken:
    """A measurement and what is known of it before any solver.

    Attributes:
        psf: the one that solvers assume.
        input_metrics: of y itself, as if it were an estimate.
        columns: of the rows of all its cells.
    """

    measurement: Measurement
    psf: np.ndarray
    context: Context
    input_metrics: dict[str, float | None]
    columns: dict[str, Any]

    @property
    def sensed(self) -> Sensed:
        """What a solver's process gets of it."""
        m = self.measurement
        return Sensed(m.y, self.psf, m.level, m.burst)


def columns_of(measures: Sequence[Measure]) -> list[Column]:
    """The metrics themselves, each built once per process."""
    return [Column(m.name, _metric(m), m.of_mean) for m in measures]


def _metric(measure: Measure) -> Metric:
    metric = instance(measure.metric)
    assert isinstance(metric, Metric)
    return metric


@lru_cache(maxsize=256)
def _taken(shot: Shot, border: int, clip: bool, measures: tuple[Measure, ...]) -> Taken:
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
    psf = measurement.psf if measurement.psf_known else None
    context = Context(measurement.y, psf, measurement.level, shot.boundary, border=border, clip=clip)
    scores = evaluate(columns_of(measures), measurement.truth, measurement.y, context)
    return Taken(measurement, exposure.assumed_psf(measurement, shot), context, scores, columns)


def taken(cell: Cell) -> Taken:
    """The measurement of a cell, remembered for the next solver."""
    return _taken(cell.shot, cell.protocol["border"], cell.protocol["clip"], cell.measures)


def given(cells: Sequence[Cell], device: str) -> Given:
    """What a solver's process gets with a batch of cells: one solver and one degradation."""
    first = cells[0]
    return Given(
        solver=first.solver,
        samples=first.samples,
        keys=[exposure.solver_key(c.shot, c.solver.name) for c in cells],
        boundary=first.shot.boundary,
        dtype=first.protocol["dtype"],
        device=device,
        blind=bool(first.solver.plugin.flags.get("blind", False)),
        sigma_factor=first.shot.degradation.sigma_factor,
        prior=first.prior,
        prior_files=first.parts.get("prior files"),
        calibration=first.calibration,
        warm=first.shot.split == "test",  # a search wants the scores of its candidates, and half the solves
    )


def outcome(cell: Cell, shot: Taken, x: np.ndarray, cost: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row that was solved.

    Args:
        x: the estimate or the samples, float64 (K, C, H, W).
        cost: what solving took, as columns.
    """
    scores = evaluate(columns_of(cell.measures), shot.measurement.truth, x, shot.context)
    return {
        "status": "ok",
        **shot.columns,
        **cost,
        **{f"m_{k}": v for k, v in scores.items()},
        **{f"in_{k}": v for k, v in shot.input_metrics.items()},
    }
