"""Line profiles: one row of pixels through the truth, the measurement and what each solver made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.files import cell_text
from bench.report.encode import to_float
from bench.report.figures.draw import Figure
from bench.report.figures.style import COLOURS, INK, OTHER, plain, save, style
from bench.report.load import Pictures

#: pixels to either side of the middle of a profile
REACH = 32


def draw(pictures: Sequence[Pictures], folder: Path | None) -> list[Figure]:
    """The profiles through the first stored picture of each setting; [] where no picture was stored."""
    first = {p.measurement.setting: p for p in reversed(pictures)}
    return [
        _figure(first[s], k, folder) for k, s in enumerate(dict.fromkeys(p.measurement.setting for p in pictures))
    ]


def through(truth: np.ndarray) -> tuple[int, slice]:
    """The row of a picture (C, H, W) with the most variation, and the columns where it lies."""
    steps = np.abs(np.diff(truth.mean(0), axis=1))
    row = int(steps.sum(1).argmax())
    width = min(2 * REACH, truth.shape[-1])
    sums = np.convolve(steps[row], np.ones(width - 1), "valid")
    start = int(sums.argmax())
    return row, slice(start, start + width)


def profiles(stored: Pictures) -> tuple[int, dict[str, np.ndarray]]:
    """The row, and along it: ``column``, ``truth``, ``measurement`` and each solver by its label in the report."""
    with np.load(stored.path, allow_pickle=False) as arrays:
        row, columns = through(to_float(arrays["truth"]))
        lines = {"column": np.arange(columns.start, columns.stop)}
        names = {"truth": "truth", "y": "measurement"}
        for name in map(str, arrays.files):
            kind, _, label = name.partition(":")
            if kind == "solver" or name in names:
                reported = names[name] if name in names else stored.labels.get(label, label)
                lines[reported] = to_float(arrays[name])[:, row, columns].mean(0)
    return row, lines


def _figure(stored: Pictures, number: int, folder: Path | None) -> Figure:
    import pandas as pd

    row, lines = profiles(stored)
    name, title = f"profiles_{number}", f"Line profiles: {stored.measurement.setting}"
    caption = (
        f"Row {row} of {stored.measurement.image}: the truth (black), the measurement (gray) and each estimate "
        "(blue), along the row and the columns with the most variation. What rings beyond the truth's range may "
        "leave the picture."
    )
    with style():
        svg = save(_drawing(lines), folder, name)
    if folder is None:
        return Figure(name, title, caption, svg, [])
    pd.DataFrame({cell_text(label): line for label, line in lines.items()}).to_csv(
        folder / f"{name}.csv", index=False
    )
    return Figure(name, title, caption, svg, [f"{name}.{kind}" for kind in ("pdf", "svg", "csv")])


def _drawing(lines: dict[str, np.ndarray]) -> Any:
    import matplotlib.pyplot as plt

    solvers = [s for s in lines if s not in ("column", "truth", "measurement", "blurred") and "padding=" not in s]
    columns = min(3, max(len(solvers), 1))
    rows = max(-(-len(solvers) // columns), 1)
    figure, axes = plt.subplots(
        rows, columns, figsize=(7.2, 1.35 * rows), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    for unused in axes.flat[len(solvers) :]:
        unused.set_visible(False)
    for ax, solver in zip(axes.flat, solvers, strict=False):
        ax.plot(lines["column"], lines["measurement"], color=OTHER, lw=0.8)
        ax.plot(lines["column"], lines["truth"], color=INK, lw=0.9)
        ax.plot(lines["column"], lines[solver], color=COLOURS[1], lw=1.1)
        ax.set_title(plain(solver))
    # The range of the truth: what rings beyond it may leave the picture.
    low, high = float(lines["truth"].min()), float(lines["truth"].max())
    axes.flat[0].set_ylim(low - 0.25 * (high - low), high + 0.25 * (high - low) + 1e-6)
    return figure
