"""A table of means as plain data, and how it is made from aligned results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.report.board import Board, describe
from bench.report.text import interval, number
from bench.statistics.interval import Estimate


@dataclass(frozen=True)
class Value:
    """One number: its text, its interval as text or "", whether it is the column's best."""

    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A row; ``group`` is a heading above it wherever it differs from that of the row before."""

    label: str
    values: list[Value]
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: unique on the page.
        corner: heading of the first column.
        groups: headings that span several columns each, with their numbers of columns; [] for none.
        heads: headings of the columns.
    """

    name: str
    title: str
    caption: str
    corner: str
    groups: list[tuple[str, int]]
    heads: list[str]
    lines: list[Line]


@dataclass(frozen=True)
class Part:
    """Some cells of a board: a heading and a mask (n,)."""

    label: str
    cells: np.ndarray


def about(board: Board, column: str) -> list[Any]:
    """What the rows of each cell say in a column that does not depend on the solver (n,)."""
    rows = ([r for r in line if r is not None] for line in zip(*board.rows, strict=True))
    return [row[0].get(column) for row in rows]


def parts(board: Board, column: str) -> list[Part]:
    """The cells of a board by the values of a column, in the order of the grid."""
    values = np.array(about(board, column), object)
    return [Part(str(v), values == v) for v in dict.fromkeys(values.tolist())]


def used(board: Board, *names: str) -> list[str]:
    """Those of the metrics that the results hold."""
    return [n for n in names if n in board.metrics]


def crossed(board: Board, columns: Sequence[Part], metrics: Sequence[str], solvers: Sequence[str]) -> list[Line]:
    """One line per solver; for each part, the mean of each metric with its interval."""
    index = [board.solvers.index(s) for s in solvers]
    lines = [Line(s, []) for s in solvers]
    for part in columns:
        for metric in metrics:
            column = means(metric, board.means(board.values(metric)[index], part.cells))
            for line, value in zip(lines, column, strict=True):
                line.values.append(value)
    return lines


def means(metric: str, rows: Estimate) -> list[Value]:
    """The means of rows (S,), the best of them marked; equal text shares the mark."""
    about = describe(metric)
    column = values(rows, about.digits)
    loss = about.loss(rows.mean)
    if about.better == "one" or not np.isfinite(loss).any():
        return column
    best = column[int(np.nanargmin(loss))].text
    return [replace(v, best=v.text == best) for v in column]


def headings(columns: Sequence[Part], metrics: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """Groups and heads of ``crossed`` columns; no groups where there is one part."""
    labels = [describe(m).label for m in metrics]
    groups = [(p.label, len(metrics)) for p in columns] if len(columns) > 1 else []
    return groups, labels * len(columns)


def values(rows: Estimate, digits: int, text: Callable[[float, int], str] = number) -> list[Value]:
    """Each mean with its interval, in the same form."""
    ends = zip(*rows.interval(), strict=True)
    return [
        Value(text(float(mean), digits), interval(float(low), float(high), digits, form=text))
        for mean, (low, high) in zip(rows.mean, ends, strict=True)
    ]
