"""The plots of the speed page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
from classical import equal
from growth import fits, lines
from tables import Row

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter

#: Okabe and Ito's colours, each with a marker of its own
MARKS = tuple(
    zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"), "osD^vP*", strict=True)
)
STYLE: Any = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3,
    "figure.dpi": 130, "figure.constrained_layout.use": True, "legend.frameon": False,
}  # fmt: skip


def classical(rows: Sequence[Row]) -> Any:
    """How many times faster ours is: a line a comparison, a colour a size; the smallest batch filled."""
    fair = [r for r in rows if equal(r)]
    names = [f"{r['ours']} | {r['counterpart']}" for r in rows]
    names = list(dict.fromkeys(names))
    sizes, batches = ([*dict.fromkeys(r[key] for r in fair)] for key in ("px", "batch"))
    figure, axes = plt.subplots(figsize=(8.5, 1.4 + 0.38 * len(names)))
    for size, (colour, marker) in zip(sizes, cycle(MARKS), strict=False):
        for i, batch in enumerate(batches):
            here = [r for r in fair if (r["px"], r["batch"]) == (size, batch)]
            at = [names.index(f"{r['ours']} | {r['counterpart']}") + 0.13 * (i - 0.5) for r in here]
            axes.scatter([r["times faster"] for r in here], at, s=42, marker=marker, edgecolor=colour, zorder=3,
                         facecolor="white" if i else colour, label=f"{size} px, batch {batch}")  # fmt: skip
    axes.axvline(1, color="0.35", linewidth=1)
    axes.set(xscale="log", xlabel="CPU seconds of the library over ours, at its PSNR (right of 1: ours is faster)")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def growth(rows: Sequence[Row]) -> Any:
    """Seconds against each axis, with the exponents."""
    exponents, by_line = fits(rows), lines(rows)
    names = list(dict.fromkeys(axis for axis, _ in exponents))
    columns = min(3, len(names))
    height = -(-len(names) // columns)
    figure, grid = plt.subplots(height, columns, figsize=(4.1 * columns, 3.5 * height), squeeze=False)
    for panel in list(grid.flat)[len(names) :]:
        panel.set_visible(False)
    for panel, axis in zip(grid.flat, names, strict=False):
        here = [(fit, by_line[key]) for key, fit in exponents.items() if key[0] == axis]
        for (fit, points), (colour, marker) in zip(here, cycle(MARKS), strict=False):
            label = f"{fit['what']}: {fit['exponent']:.2f} ± {fit['±']:.2f}"
            x = [p["how many"] for p in points]
            panel.plot(x, [p["s"] for p in points], marker=marker, color=colour, label=label)
        panel.set(xscale="log", yscale="log", xlabel=axis, ylabel="CPU s")
        x = [p["how many"] for p in here[0][1]]
        if x[-1] < 50 * x[0]:
            panel.set_xticks(x, [f"{n:,}" for n in x])
        for ruler in (panel.xaxis, panel.yaxis):
            ruler.set_minor_formatter(NullFormatter())
        panel.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def benchopt(rows: Sequence[Row]) -> Any:
    """CPU seconds by cells, cold and again, a panel a grid."""
    rows = [r for r in rows if r["workers"] == 1]
    names = list(dict.fromkeys(r["grid"] for r in rows))
    figure, grid = plt.subplots(1, len(names), figsize=(4.6 * len(names), 3.6), squeeze=False, sharey=True)
    for panel, name in zip(grid.flat, names, strict=True):
        for tool, (colour, marker) in zip(("ours", "benchopt"), MARKS, strict=False):
            for phase, line in (("cold", "-"), ("again", "--")):
                here = [r for r in rows if (r["grid"], r["phase"]) == (name, phase)]
                seconds = [r[f"{tool}, CPU s"] or float("nan") for r in here]
                panel.plot([r["cells"] for r in here], seconds, line, marker=marker, color=colour,
                           label=f"{tool}, {phase}")  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel="cells", title=name)
    grid[0, 0].set_ylabel("CPU s of all processes")
    grid[0, -1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def draw(tables: Mapping[str, Sequence[Row]], folder: Path) -> dict[str, str]:
    """Draw what there are rows for; name of a table -> file name."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    with mpl.rc_context(STYLE):
        for name, plot in {"classical": classical, "growth": growth, "benchopt": benchopt}.items():
            if tables.get(name):
                drawn[name] = f"speed_{name}.png"
                figure = plot(tables[name])
                figure.savefig(folder / drawn[name], metadata={"Software": None})
                plt.close(figure)
    return drawn
