"""Where the scatter of a comparison comes from: photographs, kernels and noise, shared by all solvers or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.report.board import Board
from bench.statistics.variance import variances

#: quartile ranges below the lower quartile (of losses: above the upper one) from which a row is left out: one solver
#: that diverges would be all that the table shows
FAR = 3.0
SOLVER = "solver"


class Component(NamedTuple):
    """One source of scatter within a setting; standard deviations in the metric's unit, NaN where there is none.

    Attributes:
        source: "photograph", "kernel", "noise", or several of them that these cells cannot tell apart.
        shared: moves all solvers alike, and cancels in paired differences.
        own: moves each solver by itself: what a paired difference scatters by, over √2.
        settings: of which it is the mean.
    """

    source: str
    shared: float
    own: float
    settings: int


def components(board: Board, metric: str) -> tuple[list[Component], list[str]]:
    """The components of a metric, averaged over settings as variances, and the solvers that were left out.

    Levels are nested: a crop in its photograph, a kernel in its picture unless pictures share it, a draw of the noise
    in its kernel. [] where there are fewer than three photographs or two solvers.
    """
    values = board.values(metric)
    rows = _near(values)
    left_out = [s for i, s in enumerate(board.solvers) if i not in rows]
    if len(rows) < 2 or len(set(board.groups.tolist())) < 3:
        return [], left_out
    sums: dict[str, list[tuple[float, float]]] = {}
    for setting in dict.fromkeys(board.settings.tolist()):
        here = board.settings == setting
        for name, pair in _of_setting(values[rows][:, here], _levels(board, np.flatnonzero(here))).items():
            sums.setdefault(name, []).append(pair)
    components = []
    for name, pairs in sums.items():
        with np.errstate(invalid="ignore"):
            shared, own = np.sqrt(np.maximum(np.mean(pairs, axis=0), 0))
        components.append(Component(name, float(shared), float(own), len(pairs)))
    return components, left_out


def _near(values: np.ndarray) -> list[int]:
    """Rows whose mean is not far out, either way: see ``FAR``."""
    finite = np.where(np.isfinite(values), values, np.nan)
    known = np.flatnonzero(~np.isnan(finite).all(1))
    mean = np.nanmean(finite[known], axis=1)
    low, high = np.quantile(mean, [0.25, 0.75]) if len(mean) else (0, 0)
    reach = FAR * (high - low)
    return known[(mean >= low - reach) & (mean <= high + reach)].tolist()


def _levels(board: Board, cells: np.ndarray) -> dict[str, list[Any]]:
    """Name -> the level of each cell, coarse to fine; levels that split the cells alike have one name together."""
    ids = [board.cells[i] for i in cells]
    names, digests = board.kernels, board.about("psf_sha")
    every = {
        "photograph": board.groups[cells].tolist(),
        "crop": [m.scene for m in ids],
        "kernel": [names[i] or digests[i] or (board.cells[i].scene, board.cells[i].psf_index) for i in cells],
        "noise": [(m.scene, m.psf_index, m.rep) for m in ids],
    }
    alike: dict[tuple[int, ...], list[str]] = {}
    for name, level in every.items():
        number = {v: k for k, v in enumerate(dict.fromkeys(level))}
        alike.setdefault(tuple(number[v] for v in level), []).append(name)
    return {
        _listed([n for n in together if n != "crop" or len(together) == 1]): every[together[0]]
        for together in alike.values()
    }


def _of_setting(values: np.ndarray, levels: dict[str, list[Any]]) -> dict[str, tuple[float, float]]:
    """Variances (shared, of each solver) of each level, from values (R, n) of one setting."""
    R, n = values.shape
    solver = np.repeat(np.arange(R), n).tolist()
    tiled = {name: level * R for name, level in levels.items()}
    single = [name for name, level in levels.items() if max(Counter(level).values()) == 1]
    # What a cell has of its own is the rest: the finest level's interaction with solvers
    several = {name: v for name, v in tiled.items() if name not in single}
    terms: dict[str, Sequence[Any]] = {SOLVER: solver, **tiled}
    terms |= {f"{name} × {SOLVER}": list(zip(v, solver, strict=True)) for name, v in several.items()}
    x = np.where(np.isfinite(values), values, np.nan).ravel()
    parts = variances(x, terms)
    return {
        name: (parts[name], parts["rest"] if name in single else parts[f"{name} × {SOLVER}"])
        for name, level in levels.items()
        if len(set(level)) > 1
    }


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
