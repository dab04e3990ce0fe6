"""Results in Python: tables as data frames, pictures and plots on axes of matplotlib, a table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import ResultError, SettingError, did_you_mean
from bench.report import load as loading
from bench.report.board import Board, describe
from bench.report.conclusion import conclusion, ranking
from bench.report.load import Pictures
from bench.report.pictures import stored_arrays
from bench.report.tables import leaderboard, pick_baseline
from bench.report.text import interval, number, seconds, signed
from bench.results.folder import Row
from bench.statistics.leaderboard import Standing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class Results:
    """What one or several runs came to.

    Args:
        folders: of finished runs; several are put together as ``bench report`` does. Raises ResultError for a folder
            that holds no finished run, and for runs that cannot be compared.
    """

    def __init__(self, folders: Sequence[Path]):
        self.folders = tuple(folders)
        self._loaded = loading.load(self.folders)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per solver and measurement, with the columns of results.parquet: ``m_psnr`` is the estimate's PSNR,
        ``in_psnr`` that of the blurred input. Rows of tuning are in ``tuning_frame``.
        """
        return self._frame(r for r in self.rows if r["phase"] == "test")

    @cached_property
    def tuning_frame(self) -> pd.DataFrame:
        """The rows of the searches on validation images, as ``frame``; ``candidate`` says what was tried."""
        return self._frame(r for r in self.rows if r["phase"] != "test")

    @property
    def rows(self) -> list[Row]:
        """All rows as read-only mappings, those of tuning too."""
        return self._loaded.rows

    @property
    def facts(self) -> list[dict[str, Any]]:
        """Of each run what run.json says: grid, commit, environment, what tuning chose."""
        return self._loaded.facts

    @cached_property
    def board(self) -> Board:
        """The test rows aligned: solvers × measurements."""
        return Board.from_rows(self.rows)

    @property
    def baseline(self) -> str | None:
        """The row that differences are taken to where none is named: Wiener, else the blurred input."""
        return pick_baseline(self.board)

    @property
    def called(self) -> str:
        """What the intervals of the whole grid may be called: "95 %", or over few photographs "nominal 95 %"."""
        return self.board.called

    def conclusion(self, baseline: str | None = None) -> list[str]:
        """What the tests of the table carry, in sentences: those at the head of the report."""
        return conclusion(self.board, self._baseline(baseline))

    def leaderboard(self, baseline: str | None = None) -> pd.DataFrame:
        """The table, best first by the first metric, indexed by solver.

        For each metric NAME its mean ``NAME`` with interval ``NAME_low``, ``NAME_high`` (see ``called``); for the
        first one the paired difference to the baseline ``delta``, ``delta_low``, ``delta_high``, the p-value ``p``
        after Holm, and the ranks ``rank_best``, ``rank_worst`` that the data allow. ``seconds``, network
        ``evaluations``, ``parameters`` and ``macs`` (docs/report.md) are medians. Samplers stand by the PSNR of the
        exact mean (docs/metrics.md). NaN where images are too few.

        Raises:
            SettingError: no solver is called ``baseline``.
        """
        import pandas as pd

        entries = leaderboard(self.board, self._baseline(baseline))
        return pd.DataFrame([self._line(e) for e in entries]).set_index("solver")

    def plot(
        self,
        metric: str | None = None,
        *,
        by: str | None = "setting",
        baseline: str | None = None,
        solvers: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Means with their intervals (see ``called``), solver by solver; returns the axes.

        Args:
            metric: such as "ssim"; by default the first that ranks.
            by: column whose values are split along the x axis (setting, blur, noise, T, image ...); None for the
                whole grid, solvers along the y axis.
            baseline: draw paired differences to this solver instead of means.
            solvers: these alone, in this order; by default all, best first.
            ax: axes to draw on; by default new ones.

        Raises:
            SettingError: there is no such metric, column or solver.
        """
        from bench.report.figures.means import draw_means

        name = metric or ranking(self.board)
        if name not in self.board.metrics:
            raise SettingError(
                f"there is no metric {name!r} in these results. {did_you_mean(str(name), self.board.metrics)}"
            )
        if by is not None and by not in self.frame.columns:
            raise SettingError(f"results have no column {by!r}. {did_you_mean(by, self.frame.columns)}")
        order = [self._solver(s) for s in solvers] if solvers else [e["solver"] for e in self._entries]
        against = None if baseline is None else self._solver(baseline)
        return draw_means(self.board, name, order, by=by, baseline=against, ax=ax)

    def images(
        self,
        image: str | None = None,
        setting: str | None = None,
        *,
        solvers: Sequence[str] | None = None,
        columns: int = 5,
    ) -> list[Axes]:
        """Truth, measurement and estimates of one measurement side by side; returns their axes, one each.

        Args:
            image, setting: which measurement; by default the first whose pictures were stored (``run: {images: N}``).
            solvers: these alone, in this order; by default all, best first.
            columns: panels in a row.

        Raises:
            ResultError: no picture of it was stored.
        """
        from bench.report.figures.panels import draw_panels

        order = [self._solver(s) for s in solvers] if solvers else [e["solver"] for e in self._entries]
        stored = self._pictures(image, setting)
        common, estimates = stored_arrays(stored)
        at = self.board.cells.index(stored[0].measurement)
        name = ranking(self.board)
        scores = dict(zip(self.board.solvers, self.board.values(name)[:, at], strict=True)) if name else {}
        unit = describe(name) if name else None
        panels = [("truth", common["truth"])] if "truth" in common else []
        panels.append((self._titled("measurement", self._input(name, at), unit), common["y"]))
        for s in order:
            arrays = estimates.get(s, {})
            if "solver" in arrays:
                panels.append((self._titled(s, scores.get(s), unit), arrays.get("mean", arrays["solver"])))
        where = stored[0].measurement
        return draw_panels(panels, f"{where.image}, {where.setting}", columns)

    def __repr__(self) -> str:
        names = ", ".join(str(f) for f in self.folders)
        return f"Results({names}: {len(self.board.solvers)} solvers on {len(self.board.cells)} measurements)"

    def _repr_html_(self) -> str:
        """The conclusion and the leaderboard, for a notebook."""
        import pandas as pd

        table = pd.DataFrame([self._texts(e) for e in self._entries])
        sentences = "".join(f"<li>{escape(s)}</li>" for s in self.conclusion())
        return f"<ul>{sentences}</ul>{table.to_html(index=False, border=0)}"

    # --- private ----------------------------------------------------------------------------------------------

    @cached_property
    def _entries(self) -> list[dict[str, Any]]:
        return leaderboard(self.board, self.baseline)

    def _frame(self, rows: Any) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(list(rows))

    def _baseline(self, wanted: str | None) -> str | None:
        return self.baseline if wanted is None else self._solver(wanted)

    def _solver(self, name: str) -> str:
        if name not in self.board.solvers:
            raise SettingError(f"no solver is called {name!r}. {did_you_mean(name, self.board.solvers)}")
        return name

    def _line(self, entry: dict[str, Any]) -> dict[str, Any]:
        line = {"solver": entry["solver"], "family": entry["family"]}
        for m in self.board.metrics:
            score: Standing = entry["scores"][m]
            line |= {m: score.mean, f"{m}_low": score.low, f"{m}_high": score.high}
        if self.board.metrics:
            score = entry["scores"][self.board.metrics[0]]
            d, ranks = score.delta, score.ranks or (None, None)
            line |= {"delta": d and d.mean, "delta_low": d and d.low, "delta_high": d and d.high}
            line |= {"p": d and d.adjusted, "rank_best": ranks[0], "rank_worst": ranks[1]}
        costs = ("seconds", "evaluations", "parameters", "macs", "samples")
        return line | {k: entry[k] for k in (*costs, "tuning", "cells", "failed")}

    def _texts(self, entry: dict[str, Any]) -> dict[str, str]:
        """A line of the table for reading: by title."""
        line = {"solver": str(entry["solver"])}
        for i, m in enumerate(self.board.metrics):
            score: Standing = entry["scores"][m]
            metric = describe(m)
            line[metric.label] = number(score.mean, metric.digits)
            if i == 0 and self.baseline:
                d = score.delta
                ends = "" if d is None else interval(d.low, d.high, metric.digits, " ")
                text = "" if d is None else signed(d.mean, metric.digits) + ends
                line[f"Δ to {self.baseline} ({self.called})"] = text
        return line | {"time": seconds(entry["seconds"]), "failed": str(entry["failed"] or "")}

    def _pictures(self, image: str | None, setting: str | None) -> list[Pictures]:
        """The stored files of the first measurement of that image and setting."""
        fitting = [
            p
            for p in self._loaded.pictures
            if image in (None, p.measurement.image) and setting in (None, p.measurement.setting)
        ]
        if not fitting:
            there = sorted({f"{p.measurement.image} under {p.measurement.setting}" for p in self._loaded.pictures})
            raise ResultError(
                f"no picture of {image or 'any image'} under {setting or 'any setting'} was stored; there are: "
                f"{'; '.join(there) or 'none (run: {images: N} in the grid stores them)'}"
            )
        return [p for p in fitting if p.measurement == fitting[0].measurement]

    def _input(self, metric: str | None, cell: int) -> float | None:
        return None if metric is None else float(self.board.inputs(metric)[cell])

    @staticmethod
    def _titled(name: str, score: float | None, metric: Any) -> str:
        if metric is None or score is None or not np.isfinite(score):
            return name
        return f"{name}\n{score:.{metric.digits}f} {metric.unit}".strip()
