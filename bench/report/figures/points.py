"""One mark per solver: quality against cost, perception against distortion, paired gains, and the map of gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report.figures.curves import unit_label
from bench.report.figures.frames import Frame
from bench.report.figures.style import COLOURS, INK, MARKERS, OTHER, family_index, plain, room_for
from bench.scoring.registry import MetricInfo


def pareto(table: Frame, metric: MetricInfo, cost: str) -> Any | None:
    """Mean quality over a median cost with its front; None if fewer than two solvers have that cost."""
    import matplotlib.pyplot as plt

    known = table[(table[cost] > 0) & np.isfinite(table[metric.name])]
    if len(known) < 2:
        return None
    figure, ax = plt.subplots(figsize=(4.6, 3.3), layout="constrained")
    ax.set_xscale("log")
    front = known.iloc[_front(known[cost].to_numpy(), metric.loss(known[metric.name].to_numpy()))]
    ax.step(front[cost], front[metric.name], where="post", color=INK, lw=0.8, zorder=1)
    ax.set_xlabel({"seconds": "median seconds per image", "evaluations": "median network passes per image"}[cost])
    ax.set_ylabel(_label(metric))
    _families(ax, known, cost, metric.name, list(front["solver"]))
    return figure


def perception_distortion(table: Frame, distortion: MetricInfo, perception: MetricInfo) -> Any | None:
    """Blau & Michaeli's plane (CVPR 2018): distortion to the right, perceptual distance upwards."""
    import matplotlib.pyplot as plt

    known = table[np.isfinite(table[distortion.name]) & np.isfinite(table[perception.name])]
    if len(known) < 2:
        return None
    figure, ax = plt.subplots(figsize=(4.6, 3.3), layout="constrained")
    ax.set_xlabel(_label(distortion))
    ax.set_ylabel(_label(perception))
    _families(ax, known, distortion.name, perception.name)
    return figure


def paired_gain(table: Frame, order: Sequence[str], metric: MetricInfo, baseline: str) -> Any | None:
    """Each image's mean gain over the baseline, one row of dots per solver, the median marked."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    rows = [s for s in order if s in set(table["solver"])]
    if not rows:
        return None
    figure, ax = plt.subplots(figsize=(3.6 + room_for(rows), 0.5 + 0.19 * len(rows)), layout="constrained")
    shown = table.assign(solver=table["solver"].map(plain))
    names = [plain(s) for s in rows]
    sns.stripplot(shown, x="gain", y="solver", order=names, color="#0072b2", size=3.2, alpha=0.6, jitter=False, ax=ax)
    medians = table.groupby("solver")["gain"].median()
    ax.plot([medians[s] for s in rows], range(len(rows)), "|", color=INK, ms=9, mew=1.6, zorder=3)
    ax.axvline(0, color=INK, lw=0.8)
    ax.set_xlabel(
        f"gain in {metric.label} over {plain(baseline)}"
        + (f" ({metric.unit})" if metric.unit else "")
        + ", one dot per image"
    )
    ax.set_ylabel("")
    return figure


def gap_map(frame: Frame, order: Sequence[str], metric: MetricInfo) -> Any | None:
    """Solver × setting: how far each mean is from the best of its setting."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    table = frame.pivot(index="solver", columns="setting", values="mean").reindex(list(order))
    table = table[list(dict.fromkeys(frame["setting"]))]
    loss = metric.loss(table.to_numpy())
    gap = loss - np.where(np.isfinite(loss), loss, np.inf).min(axis=0)
    gap = np.where(np.isfinite(gap), gap, np.nan)
    positive = gap[gap > 0]
    if not len(positive):
        return None
    size = (
        1.0 + room_for(table.index) + 0.55 * gap.shape[1],
        0.3 + 0.7 * room_for(table.columns) + 0.2 * gap.shape[0],
    )
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    names = {"xticklabels": [plain(s) for s in table.columns], "yticklabels": [plain(s) for s in table.index]}
    numbers = {"annot": True, "fmt": f".{metric.digits}f", "annot_kws": {"size": 6.5}}
    bar = {"label": f"gap to best in {unit_label(metric)}"}
    top = float(np.quantile(positive, 0.75))
    sns.heatmap(gap, vmin=0, vmax=top, cmap="Oranges", lw=0.6, ax=ax, cbar_kws=bar, **names, **numbers)
    ax.tick_params(axis="x", rotation=40, length=0)
    plt.setp(ax.get_xticklabels(), ha="right", rotation_mode="anchor")
    ax.tick_params(axis="y", length=0, rotation=0)
    return figure


def _families(ax: Any, table: Frame, x: str, y: str, first: Sequence[str] = ()) -> None:
    """Points in the colours and marks of their families, names beside them where there is room, and a legend."""
    colours, markers = (OTHER, *COLOURS[1:], INK), (*MARKERS, "*")
    for family, group in table.groupby("family", sort=False):
        place = family_index(str(family))
        colour, marker = colours[place], markers[place]
        how = {"color": colour, "marker": marker, "ls": "", "ms": 5, "markeredgewidth": 0}
        ax.plot(group[x], group[y], label=plain(str(family)), zorder=3, **how)
    ax.margins(0.08)
    _zoom(ax, table[y].to_numpy())
    ax.legend(loc="best", handletextpad=0.3)
    ax.figure.draw_without_rendering()  # the layout decides where there is room
    order = sorted(range(len(table)), key=lambda i: table["solver"].iloc[i] not in first)
    _names(ax, table.iloc[order], x, y)


def _zoom(ax: Any, y: np.ndarray) -> None:
    """One hopeless solver does not flatten all others: three quartile ranges beyond the quartiles is the end."""
    low, high = np.quantile(y, [0.25, 0.75])
    inside = y[(y >= low - 3 * (high - low)) & (y <= high + 3 * (high - low))]
    if 2 < len(inside) < len(y):
        margin = 0.12 * np.ptp(inside)
        ax.set_ylim(inside.min() - margin, inside.max() + margin)


def _names(ax: Any, table: Frame, x: str, y: str, size: float = 6) -> None:
    """Names beside their points, the first lines of the table first; one that would cover another is left out."""
    unit = ax.figure.dpi / 72
    at = ax.transData.transform(table[[x, y]].to_numpy(float))
    frame = ax.get_window_extent()
    taken = [(u - 4 * unit, v - 4 * unit, u + 4 * unit, v + 4 * unit) for u, v in at]
    places = zip(at, table["solver"].map(plain), zip(table[x], table[y], strict=True), strict=True)
    for (u, v), name, here in places:
        width, height = 0.6 * size * unit * len(name), 1.1 * size * unit
        for side, du, dv in (("left", 5, -2), ("right", -5, -2), ("center", 0, 5), ("center", 0, -10)):
            left = u + du * unit - {"left": 0, "right": width, "center": width / 2}[side]
            box = (left, v + dv * unit, left + width, v + dv * unit + height)
            hidden = any(box[0] < t[2] and box[2] > t[0] and box[1] < t[3] and box[3] > t[1] for t in taken)
            if not hidden and frame.x0 <= box[0] and box[2] <= frame.x1 + 20 * unit and frame.y0 <= v <= frame.y1:
                taken.append(box)
                ax.annotate(name, here, (du, dv), textcoords="offset points", ha=side, fontsize=size)
                break


def _front(cost: np.ndarray, loss: np.ndarray) -> list[int]:
    """Indices of the solvers that nobody beats at less cost, by cost."""
    best, chosen = np.inf, []
    for i in np.lexsort((loss, cost)):
        if loss[i] < best:
            best = loss[i]
            chosen.append(int(i))
    return chosen


def _label(metric: MetricInfo) -> str:
    arrow = {"higher": " ↑", "lower": " ↓", "one": " → 1"}[metric.better]
    return metric.label + (f" ({metric.unit})" if metric.unit else "") + arrow
