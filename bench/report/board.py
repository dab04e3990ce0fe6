"""Results aligned: solvers × cells matrices that every table starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.metrics.evaluate import METRICS, Metric
from bench.report.load import CellId, Row, cell_id


@dataclass(frozen=True)
class Board:
    """Test results of S solvers on n measured cells.

    Attributes:
        solvers: labels, in the order of the grid.
        cells: what was measured, in the order of the grid.
        rows: rows[s][i] is the result of solver s on cell i, or None where it was not run.
        metrics: names without ``m_``.
    """

    solvers: list[str]
    cells: list[CellId]
    rows: list[list[Row | None]]
    metrics: list[str]

    @classmethod
    def from_rows(cls, rows: Iterable[Row], metrics: Sequence[str] | None = None) -> Board:
        """Align the rows of phase "test"; by default with every metric that some row has a column for."""
        rows = [r for r in rows if r.get("phase", "test") == "test"]
        solvers = {r["solver"]: i for i, r in reversed(list(enumerate(rows)))}
        order = sorted(solvers, key=lambda s: solvers[s])
        cells = list(dict.fromkeys(cell_id(r) for r in rows))
        found = {(r["solver"], cell_id(r)): r for r in rows}
        names = list(metrics) if metrics else _metric_names(rows)
        return cls(order, cells, [[found.get((s, c)) for c in cells] for s in order], names)

    @cached_property
    def images(self) -> np.ndarray:
        """(n,) the cluster of each cell: its picture."""
        return np.array([f"{c.dataset}/{c.image}" for c in self.cells])

    @cached_property
    def settings(self) -> np.ndarray:
        """(n,) the setting of each cell."""
        return np.array([c.setting for c in self.cells])

    @cached_property
    def failed(self) -> np.ndarray:
        """(S, n) booleans: was run and did not succeed."""
        return np.array([[r is not None and r["status"] != "ok" for r in row] for row in self.rows]).reshape(
            self._shape
        )

    @cached_property
    def absent(self) -> np.ndarray:
        """(S, n) booleans: was not run at all."""
        return np.array([[r is None for r in row] for row in self.rows]).reshape(self._shape)

    def column(self, name: str) -> np.ndarray:
        """(S, n) floats of a column; NaN where there is none."""
        values = [[_number(r.get(name)) if r is not None else np.nan for r in row] for row in self.rows]
        return np.array(values, float).reshape(self._shape)

    def values(self, metric: str) -> np.ndarray:
        """(S, n) values of a metric; a failed cell is worth the blurred input where that is known, else NaN."""
        values = np.where(self.failed, np.nan, self.column(f"m_{metric}"))
        return np.where(self.failed, self.inputs(metric), values)

    def inputs(self, metric: str) -> np.ndarray:
        """(n,) values of a metric on the blurred input; NaN where no row says."""
        given = self.column(f"in_{metric}")
        if not len(given):
            return np.full(len(self.cells), np.nan)
        first = np.argmax(~np.isnan(given), axis=0)
        return given[first, np.arange(len(self.cells))]

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.solvers), len(self.cells)


def describe(name: str) -> Metric:
    """The metric of that name; results may hold one that this version does not know: shown, never ranked."""

    def unknown(*_: Any) -> None:
        return None

    return METRICS.get(name) or Metric(name, name, "one", 3, "", "Not known to this version.", unknown)


def target(name: str) -> float | None:
    """What a check metric should come to; None for a metric that ranks."""
    metric = describe(name)
    return metric.target if metric.better == "one" else None


def _metric_names(rows: Sequence[Row]) -> list[str]:
    columns = dict.fromkeys(key for r in rows for key in r if key.startswith("m_"))
    used = [c[2:] for c in columns if any(r.get(c) is not None for r in rows)]
    known = list(METRICS)
    return sorted(used, key=lambda name: known.index(name) if name in known else len(known))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
