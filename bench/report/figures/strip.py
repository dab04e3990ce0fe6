"""Strips of pictures: a sampler's states from noise to image, and a prior's forward process beside its schedule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.figures.panels import SIDE, show
from bench.report.figures.style import COLOURS, INK, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: a row of a strip: its name and its pictures (C, H, W) in [0, 1], None for an empty place
Row = tuple[str, Sequence[np.ndarray | None]]


def draw_strip(heads: Sequence[str], rows: Sequence[Row], title: str, file: Path) -> None:
    """Rows of pictures under one heading each, as PNG, PDF or SVG by the suffix of ``file``."""
    import matplotlib.pyplot as plt

    with style():
        size = (SIDE * len(heads), SIDE * len(rows) + 0.7)
        figure, axes = plt.subplots(len(rows), len(heads), figsize=size, squeeze=False, layout="constrained")
        figure.suptitle(title.replace("$", r"\$"), fontsize=9)
        _fill(axes, heads, rows)
        _save(figure, file)


def draw_forward(
    curves: dict[str, dict[str, np.ndarray]], heads: Sequence[str], rows: Sequence[Row], file: Path
) -> None:
    """Panels of a schedule's curves over its steps, above the strip of its forward process.

    Args:
        curves: title of a panel -> label -> values (N,) at the steps 0 to N - 1.
        heads, rows: see ``draw_strip``.
        file: PNG, PDF or SVG.
    """
    import matplotlib.pyplot as plt

    with style():
        figure = plt.figure(figsize=(SIDE * len(heads), SIDE * len(rows) + 3.2), layout="constrained")
        halves = figure.add_gridspec(2, 1, height_ratios=[2.5, SIDE * len(rows) + 0.7])
        above, below = (figure.add_subfigure(half) for half in (halves[0], halves[1]))
        for ax, (title, lines) in zip(np.ravel(above.subplots(1, len(curves))), curves.items(), strict=True):
            for colour, (label, values) in zip((INK, *COLOURS[1:]), lines.items(), strict=False):
                ax.plot(np.arange(len(values)), values, color=colour, label=label)
            ax.set(xlabel="step t", title=title, yscale="log" if np.max(list(lines.values())) > 10 else "linear")
            ax.legend()
        _fill(below.subplots(len(rows), len(heads), squeeze=False), heads, rows)
        _save(figure, file)


def _fill(axes: Any, heads: Sequence[str], rows: Sequence[Row]) -> None:
    for line, (name, pictures) in zip(axes, rows, strict=True):
        for ax, picture in zip(line, pictures, strict=True):
            _picture(ax, picture)
        line[0].text(-0.06, 0.5, name, rotation=90, ha="right", va="center", transform=line[0].transAxes)
    for ax, head in zip(axes[0], heads, strict=True):
        ax.set_title(head, fontsize=8)


def _picture(ax: Axes, picture: np.ndarray | None) -> None:
    ax.set_axis_off()
    if picture is not None:
        show(ax, picture)


def _save(figure: Any, file: Path) -> None:
    import matplotlib.pyplot as plt

    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150, facecolor="white")
    plt.close(figure)
