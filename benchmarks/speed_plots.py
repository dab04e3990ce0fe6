"""The plots of the speed page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from growth import fits, lines
from side_by_side import equal
from tables import Row

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter

#: Okabe and Ito's colours
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*"
STYLE: Any = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3,
    "figure.dpi": 130, "svg.hashsalt": "speed",
}  # fmt: skip


def classical(rows: list[Row], file: Path) -> None:
    """How many times faster ours is, a line a comparison, a mark a size and batch."""
    run = [r for r in rows if equal(r)]
    if not run:
        return
    names = list(dict.fromkeys((r["ours"], r["counterpart"]) for r in rows))
    kinds = list(dict.fromkeys((r["size"], r["batch"]) for r in run))
    sizes = list(dict.fromkeys(size for size, _ in kinds))
    many = sorted({batch for _, batch in kinds})
    figure, axes = plt.subplots(figsize=(8.5, 1.4 + 0.38 * len(names)), layout="constrained")
    for kind in kinds:
        here = [r for r in run if (r["size"], r["batch"]) == kind]
        i = sizes.index(kind[0])
        axes.scatter(
            [r["ratio"] for r in here],
            [names.index((r["ours"], r["counterpart"])) + 0.13 * (many.index(kind[1]) - 0.5) for r in here],
            s=42, marker=MARKERS[i % len(MARKERS)], zorder=3,
            facecolor=COLOURS[i % len(COLOURS)] if kind[1] == many[0] else "white",
            edgecolor=COLOURS[i % len(COLOURS)],
            label=f"{kind[0]} px, batch {kind[1]}",
        )  # fmt: skip
    axes.axvline(1, color="0.35", linewidth=1)
    axes.set(
        xscale="log",
        xlabel="CPU seconds of the library over ours, at the library's PSNR (right of 1: ours is faster)",
    )
    axes.set_yticks(range(len(names)), [f"{a} | {b}" for a, b in names])
    axes.invert_yaxis()
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    _save(figure, file)


def growth(rows: list[Row], file: Path) -> None:
    """Seconds against each axis, with the exponents."""
    exponents = {(f.axis, f.what): f for f in fits(rows)}
    found = lines(rows)
    axes_names = [a for a in dict.fromkeys(axis for axis, _ in found) if any(k[0] == a for k in exponents)]
    if not axes_names:
        return
    columns = min(3, len(axes_names))
    height = -(-len(axes_names) // columns)
    figure, grid = plt.subplots(height, columns, figsize=(4.1 * columns, 3.5 * height), squeeze=False,
                                layout="constrained")  # fmt: skip
    panels = list(grid.flat)
    for panel in panels[len(axes_names) :]:
        panel.set_visible(False)
    for panel, axis in zip(panels, axes_names, strict=False):
        here = [(what, points) for (a, what), points in found.items() if a == axis]
        for i, (what, points) in enumerate(here):
            f = exponents.get((axis, what))
            label = f"{what}: {f.exponent:.2f} ± {f.error:.2f}" if f else what
            panel.plot(
                [p["x"] for p in points], [p["seconds"] for p in points], marker=MARKERS[i % len(MARKERS)],
                color=COLOURS[i % len(COLOURS)], label=label,
            )  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel=axis, ylabel="CPU s")
        points = here[0][1]
        if points[-1]["x"] < 50 * points[0]["x"]:
            panel.set_xticks([p["x"] for p in points], [f"{p['x']:,}" for p in points])
        for ruler in (panel.xaxis, panel.yaxis):
            ruler.set_minor_formatter(NullFormatter())
        panel.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    _save(figure, file)


def benchopt(rows: list[Row], file: Path) -> None:
    """CPU seconds by cells, cold and again, a panel a grid."""
    rows = [r for r in rows if r["workers"] == 1]
    names = list(dict.fromkeys(r["grid"] for r in rows))
    if not names:
        return
    figure, grid = plt.subplots(1, len(names), figsize=(4.6 * len(names), 3.6), squeeze=False, sharey=True,
                                layout="constrained")  # fmt: skip
    for panel, name in zip(grid.flat, names, strict=True):
        for i, (key, tool) in enumerate((("our_cpu_s", "deblur-bench"), ("their_cpu_s", "benchopt"))):
            for phase, line in (("cold", "-"), ("again", "--")):
                here = [r for r in rows if r["grid"] == name and r["phase"] == phase and r[key] is not None]
                panel.plot([r["cells"] for r in here], [r[key] for r in here], line, marker=MARKERS[i],
                           color=COLOURS[i], label=f"{tool}, {phase}")  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel="cells", title=name)
    grid[0, 0].set_ylabel("CPU s of all processes")
    grid[0, -1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    _save(figure, file)


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Software": None})
    plt.close(figure)


PLOTS = {"classical": classical, "growth": growth, "benchopt": benchopt}


def draw(tables: Mapping[str, list[Row]], folder: Path) -> dict[str, str]:
    """Draw what there are rows for; name of a table -> file name."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    with mpl.rc_context(STYLE):
        for name, plot in PLOTS.items():
            file = folder / f"speed_{name}.png"
            file.unlink(missing_ok=True)
            if tables.get(name):
                plot(tables[name], file)
            if file.exists():
                drawn[name] = file.name
    return drawn
