"""What a reader may choose: each filter of the page is an axis, "all" or one of its values.

Statistics are made here, by Python, for every state that the page can show; its script only looks them up.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from bench.report.board import Board

#: column -> label of the filter, in the order of the page
AXES = {
    "dataset": "Dataset",
    "blur": "Blur",
    "T": "Exposure T",
    "noise": "Noise",
    "psf_error": "PSF given",
    "sigma_factor": "Noise given ×",
}
#: more tables than this are not computed: see ``states``
LIMIT = 400


class Axis(NamedTuple):
    """A filter: the column, its label, its values as text."""

    name: str
    label: str
    values: list[str]


class States(NamedTuple):
    """The tables that a page holds.

    Attributes:
        number: "i,j,..." -> table; i, j, ... are 0 for all, else 1 + the number of the value of that axis.
        cells: (n,) booleans of each table's cells; no two are alike, and the first is the whole grid.
        together: as many axes can be set at once; less than all of them only where ``LIMIT`` would be passed.
    """

    number: dict[str, int]
    cells: list[np.ndarray]
    together: int


def axes(board: Board) -> list[Axis]:
    """The axes with more than one value that no axis before them decides (as a blur that names its T decides T)."""
    out: list[Axis] = []
    for name, label in AXES.items():
        own = texts(board, name)
        values = list(dict.fromkeys(own.tolist()))
        decided = any(
            len(set(zip(texts(board, a.name).tolist(), own.tolist(), strict=True))) == len(a.values) for a in out
        )
        if len(values) > 1 and not decided:
            out.append(Axis(name, label, values))
    return out


def texts(board: Board, name: str) -> np.ndarray:
    """(n,) the value of each cell on an axis, as the page shows it."""
    given = [c.dataset for c in board.cells] if name == "dataset" else board.about(name)
    return np.array([f"{v:g}" if isinstance(v, float) else str(v or "none") for v in given])


def states(board: Board, chosen: list[Axis], limit: int = LIMIT) -> States:
    """Every state that has cells: first the whole grid, then with one axis set, with two, and so on.

    All states with k axes set are there or none: where they would make more than ``limit`` different tables, the page
    lets fewer than k axes be set together.
    """
    everything = np.ones(len(board.cells), bool)
    masks = [[everything, *(texts(board, a.name) == v for v in a.values)] for a in chosen]
    number: dict[str, int] = {}
    cells: dict[bytes, np.ndarray] = {}
    for k in range(len(chosen) + 1):
        new = _with_axes_set(everything, masks, k)
        if k and len(cells.keys() | {m.tobytes() for m in new.values()}) > limit:
            return States(number, list(cells.values()), k - 1)
        for key, mask in new.items():
            cells.setdefault(mask.tobytes(), mask)
            number[key] = list(cells).index(mask.tobytes())
    return States(number, list(cells.values()), len(chosen))


def _with_axes_set(everything: np.ndarray, masks: list[list[np.ndarray]], k: int) -> dict[str, np.ndarray]:
    """The states in which just k axes are set and that have cells."""
    out: dict[str, np.ndarray] = {}
    for which in combinations(range(len(masks)), k):
        for values in product(*(range(1, len(masks[a])) for a in which)):
            place = dict(zip(which, values, strict=True))
            mask = np.logical_and.reduce([everything, *(masks[a][v] for a, v in place.items())])
            if mask.any():
                out[",".join(str(place.get(a, 0)) for a in range(len(masks)))] = mask
    return out
