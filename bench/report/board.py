"""Results aligned: solvers × cells matrices that every table starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bench.results.folder import Row
from bench.results.identity import MeasurementId
from bench.scoring import registry
from bench.scoring.registry import MetricInfo
from bench.statistics.clusters import Design
from bench.statistics.interval import Estimate, called, means

#: what a metric of several samples is ranked by, the first that the results have: see ``Board.values``
OF_MEAN = ("{}_extrapolated", "{}_mean")
#: suffix of the derived metric that shows one sample beside the mean
SAMPLE = "_sample"
#: all cells
EVERY = slice(None)


@dataclass(frozen=True)
class Board:
    """Test results of S solvers on n measured cells.

    Attributes:
        solvers: labels, in the order of the grid.
        cells: what was measured, in the order of the grid.
        rows: rows[s][i] is the result of solver s on cell i, or None where it was not run.
        metrics: names without ``m_``; of several samples see ``values``.
    """

    solvers: list[str]
    cells: list[MeasurementId]
    rows: list[list[Row | None]]
    metrics: list[str]

    @classmethod
    def from_rows(cls, rows: Iterable[Row], metrics: Sequence[str] | None = None) -> Board:
        """Align the rows of phase "test"; by default with every metric that some row has a column for."""
        rows = [r for r in rows if r.get("phase", "test") == "test"]
        solvers = {s: i for i, s in enumerate(dict.fromkeys(r["solver"] for r in rows))}
        cells = {c: i for i, c in enumerate(dict.fromkeys(map(MeasurementId.of, rows)))}
        aligned: list[list[Row | None]] = [[None] * len(cells) for _ in solvers]
        for r in rows:
            aligned[solvers[r["solver"]]][cells[MeasurementId.of(r)]] = r
        return cls(list(solvers), list(cells), aligned, list(metrics) if metrics else _metric_names(rows))

    @cached_property
    def images(self) -> np.ndarray:
        """(n,) the picture of each cell, with its dataset."""
        return np.array([c.scene for c in self.cells])

    @cached_property
    def groups(self) -> np.ndarray:
        """(n,) what is independent: the photograph (patient, sequence) that a picture was cut from, else itself."""
        own = [r.get("group") for r in self._about]
        return np.array([f"{c.dataset}/{g or c.image}" for c, g in zip(self.cells, own, strict=True)])

    @cached_property
    def kernels(self) -> list[Any]:
        """(n,) name of a drawn kernel that several pictures share; None where it is a picture's own or not drawn."""
        return self.about("kernel")

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

    @cached_property
    def sampled(self) -> np.ndarray:
        """(S,) booleans: solvers that drew several samples per measurement."""
        return np.array([any(((r or {}).get("samples") or 1) > 1 for r in row) for row in self.rows])

    def about(self, name: str) -> list[Any]:
        """(n,) what the rows of each cell say in a column that belongs to the measurement, not to the solver."""
        return [r.get(name) for r in self._about]

    def column(self, name: str) -> np.ndarray:
        """(S, n) floats of a column; NaN where there is none."""
        values = [[_number(r.get(name)) if r is not None else np.nan for r in row] for row in self.rows]
        return np.array(values, float).reshape(self._shape)

    def values(self, metric: str) -> np.ndarray:
        """(S, n) values of a metric; a failed cell is worth the blurred input where that is known, else NaN.

        A solver that drew several samples stands by their mean, extrapolated to infinitely many where the results
        hold that: a point estimate has one error, a sample has that of the mean and its own spread besides. What one
        sample is worth has a metric of its own, ``psnr_sample``, NaN for everybody else.
        """
        if metric.endswith(SAMPLE):
            own = self.column(f"m_{metric.removesuffix(SAMPLE)}")
            return np.where(self.sampled[:, None] & ~self.failed, own, np.nan)
        own = self.column(f"m_{metric}")
        for form in OF_MEAN if self.sampled.any() else ():
            mean = self.column(f"m_{form.format(metric)}")
            if not np.isnan(mean[self.sampled]).all():
                own = np.where(self.sampled[:, None] & ~np.isnan(mean), mean, own)
                break
        return np.where(self.failed, self.inputs(metric), own)

    def inputs(self, metric: str) -> np.ndarray:
        """(n,) values of a metric on the blurred input; NaN where no row says."""
        given = self.column(f"in_{metric}")
        if not len(given):
            return np.full(len(self.cells), np.nan)
        first = np.argmax(~np.isnan(given), axis=0)
        return given[first, np.arange(len(self.cells))]

    def design(self, cells: np.ndarray | slice = EVERY) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Settings, groups and kernels of all cells or some: what ``bench.statistics`` takes beside values.

        Args:
            cells: (n,) booleans, or indices.
        """
        return self.settings[cells], self.groups[cells], np.array(self.kernels, object)[cells]

    def means(self, values: np.ndarray, cells: np.ndarray | slice = EVERY) -> Estimate:
        """Means of the rows of ``values`` (R, n) over all cells or some, as of ``design``."""
        return means(values[:, cells], *self.design(cells))

    @cached_property
    def estimators(self) -> list[str]:
        """(S,) what each solver estimates: the name that rows of one estimator share, else its own label."""
        shared = [next((str(r["same_as"]) for r in rows if r and r.get("same_as")), None) for rows in self.rows]
        return [name or solver for name, solver in zip(shared, self.solvers, strict=True)]

    def row_of(self, solver: str | None) -> int | None:
        """The row of a label; None for a label that the board has not."""
        return self.solvers.index(solver) if solver in self.solvers else None

    @cached_property
    def unscored(self) -> np.ndarray:
        """(n,) booleans: solved, and without a PSNR, as nobody has the sharp picture."""
        solved = [[r for row in self.rows if (r := row[i]) and r["status"] == "ok"] for i in range(len(self.cells))]
        return np.array([bool(rows) and all(r.get("m_psnr", 0) is None for r in rows) for rows in solved], bool)

    @cached_property
    def called(self) -> str:
        """What intervals over all cells may be called: "95 %" or "nominal 95 %"."""
        design = Design.of(*self.design())
        return called(design.n_groups, design.n_kernels)

    def select(self, cells: np.ndarray) -> Board:
        """The same solvers on a subset of the cells, (n,) booleans."""
        index = np.flatnonzero(cells)
        rows = [[row[i] for i in index] for row in self.rows]
        return Board(self.solvers, [self.cells[i] for i in index], rows, self.metrics)

    @cached_property
    def _about(self) -> list[Row]:
        """(n,) some row of each cell."""
        return [next(r for row in self.rows if (r := row[i]) is not None) for i in range(len(self.cells))]

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.solvers), len(self.cells)


def describe(name: str) -> MetricInfo:
    """The metric of that name; results may hold one that nobody knows: shown, never ranked."""
    if (stem := name.removesuffix(SAMPLE)) != name and stem in registry.known():
        base = registry.describe(stem)
        definition = f"Of one sample, the mean over the samples that were drawn. {base.definition}"
        return replace(base, name=name, label=f"{base.label}, one sample", definition=definition)
    return registry.describe(name)


def target(name: str) -> float | None:
    """What a check metric should come to; None for a metric that ranks."""
    metric = describe(name)
    return metric.target if metric.better == "one" else None


def _metric_names(rows: Sequence[Row]) -> list[str]:
    """Names of the columns with values; what is of the samples' mean goes into its metric, see ``Board.values``.

    Where no column has any, as for photographs without sharp versions, all are there, and empty.
    """
    columns = dict.fromkeys(key for r in rows for key in r if key.startswith("m_"))
    used = [c[2:] for c in columns if any(r.get(c) is not None for r in rows)] or [c[2:] for c in columns]
    means = {form.format(name): name for name in used for form in OF_MEAN}
    plain = [n for n in used if n not in means]
    plain.sort(key=_place)
    drawn = any((r.get("samples") or 1) > 1 for r in rows)
    return plain + [f"{n}{SAMPLE}" for n in plain if drawn and n in means.values() and f"{n}_mean" in used]


def _place(name: str) -> int:
    """Where a metric stands among others: by its family, in which the results' own order holds; unknown ones last."""
    known = name in registry.known()
    return registry.FAMILIES.index(registry.describe(name).family) if known else len(registry.FAMILIES)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
