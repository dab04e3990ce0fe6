"""Means with their intervals, solver by solver: over the whole grid, or split by a column of the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.board import Board, describe
from bench.report.figures.curves import unit_label
from bench.report.figures.style import COLOURS, MARKERS, plain
from bench.report.tables import standings
from bench.statistics.leaderboard import Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: of the distance of two values on the x axis, what the solvers spread over
SPREAD = 0.6


def draw_means(
    board: Board, metric: str, solvers: Sequence[str], *, by: str | None, baseline: str | None, ax: Axes | None
) -> Axes:
    """Draw them on ``ax`` or new axes, which are returned.

    Args:
        board: all results.
        metric: a name of ``board.metrics``.
        solvers: in the order of the legend.
        by: column of the measurements, or None for the whole grid.
        baseline: solver that paired differences are taken to; None draws the means themselves.
    """
    import matplotlib.pyplot as plt

    shown = [s for s in solvers if s != baseline]
    axes: Any = ax or plt.subplots(figsize=_size(len(shown), by), layout="constrained")[1]
    about = describe(metric)
    label = unit_label(about) if baseline is None else f"Δ {unit_label(about)} to {plain(baseline)}"
    if by is None:
        _rows(axes, _estimates(board, metric, shown, baseline), label)
    else:
        _columns(axes, board, metric, shown, by, baseline)
        axes.set_ylabel(label)
    if baseline is not None:
        (axes.axvline if by is None else axes.axhline)(0, color="0.6", lw=0.8, zorder=0)
    return axes


def _size(solvers: int, by: str | None) -> tuple[float, float]:
    return (5.0, 0.8 + 0.26 * solvers) if by is None else (6.4, 3.6)


def _estimates(
    board: Board, metric: str, solvers: Sequence[str], baseline: str | None
) -> dict[str, tuple[float, float, float]]:
    """(mean, low, high) of each solver, or of its difference to the baseline; NaN for ends that nobody knows."""
    table = standings(board, metric, baseline)
    return {s: _numbers(table.rows[board.solvers.index(s)], baseline) for s in solvers}


def _numbers(row: Standing, baseline: str | None) -> tuple[float, float, float]:
    of = row if baseline is None else row.delta
    return (np.nan, np.nan, np.nan) if of is None else (of.mean, of.low, of.high)


def _bars(estimates: Sequence[tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Means (n,) and lengths of the bars (2, n), 0 where there is no interval."""
    mean, low, high = np.array(estimates, float).reshape(-1, 3).T
    return mean, np.nan_to_num(np.stack([mean - low, high - mean]))


def _rows(ax: Any, estimates: dict[str, tuple[float, float, float]], label: str) -> None:
    mean, bars = _bars(list(estimates.values()))
    y = np.arange(len(mean))[::-1]
    ax.errorbar(mean, y, xerr=bars, fmt="o", ms=4, lw=1.2, color=COLOURS[1])
    ax.set_yticks(y, [plain(s) for s in estimates])
    ax.set_xlabel(label)


def _columns(ax: Any, board: Board, metric: str, solvers: Sequence[str], by: str, baseline: str | None) -> None:
    column = board.about(by)
    values = list(dict.fromkeys(column))
    parts = [_estimates(board.select(np.array([c == v for c in column])), metric, solvers, baseline) for v in values]
    for i, s in enumerate(solvers):
        mean, bars = _bars([part[s] for part in parts])
        x = np.arange(len(values)) + SPREAD * ((i + 0.5) / len(solvers) - 0.5)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]
        ax.errorbar(x, mean, yerr=bars, fmt=marker, ms=4, lw=1.0, color=colour, label=plain(s))
    ax.set_xticks(np.arange(len(values)), [plain(str(v)) for v in values])
    ax.set_xlabel(by)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
