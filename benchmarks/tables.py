"""The tables of the speed page: what fills each of them, and how rows become Markdown."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: heading -> value; None where nothing was measured
Row = Mapping[str, Any]


class Table(NamedTuple):
    """A table of the page.

    Attributes:
        section: the heading that it stands under.
        title: its own.
        source: "module:function" that yields its rows; the module's docstring says how they are measured.
        limit: seconds after which its process is ended.
        quick: arguments of the function with which everything is tiny, to see that it works.
    """

    section: str
    title: str
    source: str
    limit: float
    quick: Mapping[str, Any]

    @property
    def module(self) -> Any:
        """The benchmark."""
        return importlib.import_module(self.source.split(":")[0])

    def rows(self, options: Mapping[str, Any]) -> Iterator[Row]:
        """Measure. Raises TypeError for an option that the benchmark has not."""
        return getattr(self.module, self.source.split(":")[1])(**options)

    @property
    def options(self) -> list[str]:
        """Names of the arguments that it takes."""
        function: Callable[..., Any] = getattr(self.module, self.source.split(":")[1])
        return list(inspect.signature(function).parameters)


_CLASSICAL = "Classical solvers beside other libraries"
_MADE = "Kernels, measurements, training pairs"
_DIFFUSION = "Diffusion samplers"
TABLES: Mapping[str, Table] = {
    "start": Table(
        "Start-up, and cells that do nothing", "Commands", "harness:start", 240, {"repeat": 1, "cells": 50}
    ),
    "iterations": Table(
        _CLASSICAL, "The cost of an iteration", "classical:iterations", 150, {"sizes": [128], "repeat": 1}
    ),
    "classical": Table(
        _CLASSICAL, "Seconds to the counterpart's PSNR", "classical:comparisons", 780,
        {"sizes": [128, 256], "batches": [1, 2], "limit": 3, "budget": 60, "repeat": 1, "tried": 1},
    ),
    "quality": Table(_CLASSICAL, "PSNR at the best weight", "quality:rows", 120, {"repeat": 1, "tried": 3}),
    "kernels": Table(_MADE, "Kernels and measurements", "measurements:kernels", 120, {"batch": 16, "repeat": 1}),
    "pairs": Table(
        _MADE, "Training pairs", "measurements:pairs", 180, {"recipes": ["convir_cpu"], "pool": 64, "steps": 1}
    ),
    "samplers": Table(_DIFFUSION, "Beside deepinv's", "samplers:beside", 240, {"steps": 4, "images": 1, "tried": 1}),
    "overhead": Table(_DIFFUSION, "Around the network", "samplers:overhead", 240, {"steps": 3, "repeat": 1}),
    "batches": Table(_DIFFUSION, "The network in batches", "samplers:batches", 120, {"repeat": 1}),
    "benchopt": Table(
        "The harness beside benchopt", "The same grids", "against_benchopt:rows", 420,
        {"cells": [50], "two_workers": 0},
    ),
    "report": Table(
        "Reports", "Building and opening a page", "reports:rows", 240,
        {"cells": [400], "kinds": ["plain"], "size": 32},
    ),
    "growth": Table("How cost grows", "Exponents", "growth:rows", 300, {"small": True}),
    "grids": Table(
        "Shipped grids", "quickstart, classical and ci", "harness:grids", 420,
        {"names": ["ci"], "only": "solver == 'wiener'"},
    ),
}  # fmt: skip


def text(value: object) -> str:
    """A cell: three significant digits of a float, thousands set apart, nothing for None."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def markdown(rows: Iterable[Row]) -> str:
    """A table whose columns are the rows' keys; those without any value are left out. dB have two decimals."""
    rows = list(rows)
    cells = {key: [_cell(key, row.get(key)) for row in rows] for key in dict.fromkeys(k for row in rows for k in row)}
    cells = {key: column for key, column in cells.items() if any(column)}
    rules = ["---:" if all(map(_number, column)) else "---" for column in cells.values()]
    return "\n".join("| " + " | ".join(line) + " |" for line in (cells, rules, *zip(*cells.values(), strict=True)))


def _cell(key: str, value: object) -> str:
    return f"{value:.2f}" if "dB" in key and isinstance(value, float) else text(value)


def _number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] == "-"
