"""Curves: quality against exposure and against noise, and what tuning saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.report.figures import frames
from bench.report.figures.frames import Frame
from bench.report.figures.style import INK, OTHER, plain, room_for
from bench.scoring.registry import MetricInfo

Drawing = tuple[Any, Frame]

WIDTH = 7.0  # inches: a two-column page


@dataclass(frozen=True)
class Subject:
    """What the curves are of: a metric, the look of the solvers shown in colour, the solver compared with."""

    metric: MetricInfo
    looks: Mapping[str, Mapping[str, Any]]
    baseline: str | None


@dataclass(frozen=True)
class Panel:
    """One panel: its lines (with a column ``at``, where along the axis), its title, the ticks.

    ``dodge``: how far apart the solvers' marks stand, so that intervals do not cover one another.
    """

    table: Frame
    title: str
    ticks: tuple[Sequence[float], Sequence[str]]
    logarithmic: bool = False
    dodge: float = 0.0


def against_exposure(frame: Frame, subject: Subject) -> Drawing | None:
    """Boracchi & Foi's trade-off: quality over exposure T, for every blur that has several; None without one."""
    several = frame[frame.groupby(["shape", "noise"])["T"].transform("nunique") > 1]
    if several.empty:
        return None
    table = frames.means(several, ["solver", "shape", "noise", "T"])
    panels = []
    for (shape, noise), here in table.groupby(["shape", "noise"], sort=False):
        stops = sorted(set(here["T"]))
        wide = min(stops) > 0 and max(stops) / min(stops) >= 4
        lines = here.assign(at=here["T"]).sort_values("at", kind="stable")
        panels.append(Panel(lines, f"{shape} · {noise}", (stops, [f"{t:g}" for t in stops]), wide))
    return _draw(panels, "exposure T", subject), table


def against_noise(frame: Frame, subject: Subject, order: Sequence[str]) -> Drawing | None:
    """Quality over the noise levels, one panel per blur and exposure; None where each has one level."""
    several = frame[frame.groupby(["blur", "T"], dropna=False)["noise"].transform("nunique") > 1]
    if several.empty:
        return None
    table = frames.means(several, ["solver", "blur", "T", "noise"])
    exposures = table.groupby("blur")["T"].nunique()
    panels = []
    for (blur, T), here in table.groupby(["blur", "T"], sort=False, dropna=False):
        title = f"{blur}, T = {T:g}" if exposures[blur] > 1 else str(blur)
        lines = here.assign(at=[list(order).index(n) for n in here["noise"]]).sort_values("at", kind="stable")
        panels.append(Panel(lines, title, (range(len(order)), [plain(n) for n in order]), dodge=0.035))
    return _draw(panels, "noise", subject), table


def _draw(panels: Sequence[Panel], xlabel: str, subject: Subject) -> Any:
    """Means above, paired differences below; every row of panels shares its axis."""
    import matplotlib.pyplot as plt

    kinds = ["mean", "difference"] if subject.baseline else ["mean"]
    columns = min(len(panels), 5)
    blocks = -(-len(panels) // columns)
    width = 0.9 + max(1.4 * columns, 3.8)
    entries = min(int(width / (room_for(subject.looks) + 0.45)) or 1, len(subject.looks) + 1)  # beside one another
    legend = 0.17 * -(-(len(subject.looks) + 1) // entries)
    figure, axes = plt.subplots(
        blocks * len(kinds), columns, squeeze=False, layout="constrained",
        figsize=(width, 1.55 * blocks * len(kinds) + legend),
    )  # fmt: skip
    for ax in axes.flat[:]:
        ax.set_visible(False)
    for k, kind in enumerate(kinds):
        limits = _limits(panels, kind, subject)
        for i, panel in enumerate(panels):
            ax = axes[(i // columns) * len(kinds) + k, i % columns]
            ax.set_visible(True)
            _lines(ax, panel, kind, subject)
            ax.set_ylim(*limits)
            ax.tick_params(labelleft=i % columns == 0, labelbottom=k == len(kinds) - 1)
            if k == 0:
                ax.set_title(plain(panel.title))
            if k == len(kinds) - 1:
                ax.set_xlabel(xlabel)
            if i % columns == 0:
                ax.set_ylabel(("Δ " if kind == "difference" else "") + unit_label(subject.metric))
    _legend(figure, panels, subject, entries)
    return figure


def _lines(ax: Any, panel: Panel, kind: str, subject: Subject) -> None:
    if panel.logarithmic:
        ax.set_xscale("log", base=2)
    for solver, line in panel.table.groupby("solver", sort=False):
        if solver not in subject.looks:
            ax.plot(line["at"], line[kind], color=OTHER, lw=0.6, alpha=0.6, zorder=1)
    for k, (solver, how) in enumerate(subject.looks.items()):
        line = panel.table[panel.table["solver"] == solver]
        at = line["at"] + panel.dodge * (k - (len(subject.looks) - 1) / 2)
        ax.plot(at, line[kind], **how, markeredgewidth=0, zorder=3)
        if kind == "difference":
            ends = (line[f"{kind}_{end}"].fillna(line[kind]) for end in ("low", "high"))
            ax.vlines(at, *ends, color=how["color"], lw=0.8, zorder=2)
    ax.set_xticks(*panel.ticks)
    if sum(len(t) for t in panel.ticks[1]) > 16:
        ax.tick_params(axis="x", labelrotation=35)
    ax.minorticks_off()
    ax.margins(x=0.12)


def _limits(panels: Sequence[Panel], kind: str, subject: Subject) -> tuple[float, float]:
    """What the solvers shown in colour need; the others may leave the picture."""
    shown = np.concatenate(
        [p.table.loc[p.table["solver"].isin(list(subject.looks)), kind].to_numpy() for p in panels]
    )
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return 0.0, 1.0
    low, high = float(shown.min()), float(shown.max())
    margin = (0.5 if kind == "difference" else 0.12) * (high - low) or 0.5
    return low - margin, high + margin


def _legend(figure: Any, panels: Sequence[Panel], subject: Subject, columns: int) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **how, label=plain(s), markeredgewidth=0) for s, how in subject.looks.items()]
    others = len({s for p in panels for s in p.table["solver"]}) - len(subject.looks)
    if others > 0:
        handles.append(Line2D([], [], color=OTHER, lw=0.8, label=f"{others} other{'s' * (others > 1)}"))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handletextpad=0.5, columnspacing=1.2)


def sensitivity(table: Frame, metric: MetricInfo) -> Drawing | None:
    """How much the validation score falls away from the best value tried, per solver and parameter."""
    import matplotlib.pyplot as plt

    panels = [
        group for _, group in table.groupby(["solver", "parameter"], sort=False) if group["value"].nunique() > 2
    ]
    if not panels:
        return None
    columns = min(len(panels), 6)
    rows = -(-len(panels) // columns)
    size = (WIDTH * max(columns / 6, 0.4), 1.2 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for unused in axes.flat[len(panels) :]:
        unused.remove()
    for number, (ax, here) in enumerate(zip(axes.flat, panels, strict=False)):
        _sensitivity(ax, here)
        if number % columns == 0:
            ax.set_ylabel(f"Δ {unit_label(metric)}", fontsize=6.5)
    return figure, table


def _sensitivity(ax: Any, here: Frame) -> None:
    for _, line in here.groupby("setting", sort=False):
        ax.plot(line["value"], -line["regret"], color="#56b4e9", lw=0.6, alpha=0.75)
    value, mean = common_mean(here)
    ax.plot(value, -mean, color=INK, marker="o", ms=2.2, lw=1.1)
    if here["value"].min() > 0 and here["value"].max() / here["value"].min() >= 8:
        ax.set_xscale("log")
        ax.minorticks_off()
    # Down to the worst of the better nine tenths: one hopeless value hides nothing else.
    depth = max(float(np.quantile(here["regret"], 0.9)), 1e-3)
    ax.set_ylim(-1.08 * depth, 0.06 * depth)
    ax.locator_params(axis="y", nbins=4)
    solver = here["solver"].iloc[0]
    ax.set_title(plain(solver), pad=2, fontsize=6.5 if len(solver) <= 15 else 6.5 * 15 / len(solver))
    ax.set_xlabel(plain(here["parameter"].iloc[0]), labelpad=1, fontsize=6.5)
    ax.tick_params(labelsize=6, pad=1.5, length=2)


def common_mean(here: Frame) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the settings' lines at the values tried, where each of them was searched.

    A search goes on where its setting wants it: the mean of whatever was tried at a value would jump from one setting
    to the next.
    """
    lines = [line.sort_values("value") for _, line in here.groupby("setting", sort=False)]
    low, high = max(line["value"].min() for line in lines), min(line["value"].max() for line in lines)
    tried = np.unique(here["value"])
    tried = tried[(tried >= low) & (tried <= high)]
    scale = np.log if here["value"].min() > 0 else np.asarray
    each = [np.interp(scale(tried), scale(line["value"].to_numpy()), line["regret"]) for line in lines]
    return tried, np.mean(each, axis=0)


def unit_label(metric: MetricInfo) -> str:
    """``PSNR (dB)``."""
    return metric.label + (f" ({metric.unit})" if metric.unit else "")
