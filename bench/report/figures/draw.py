"""All figures of a report, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.files import cell_text
from bench.report.board import Board, describe, target
from bench.report.figures import curves, frames, points
from bench.report.figures.frames import Frame
from bench.report.figures.style import look, save, style
from bench.results.folder import Row

Drawn = tuple[str, str, str, Any, Frame]


@dataclass(frozen=True)
class Figure:
    """A drawn figure.

    Attributes:
        name: of its files.
        title: heading.
        caption: what is seen, and how it was computed.
        svg: markup that stands inside the page; "" for a figure that is only beside it.
        files: names of PDF, SVG and CSV in ``figures/``; [] if none were written.
    """

    name: str
    title: str
    caption: str
    svg: str
    files: list[str]


#: drawn for papers, but live on the page
BESIDE = ("pareto_seconds", "pareto_evaluations", "gap_to_best")


def draw(
    board: Board, rows: Sequence[Row], order: Sequence[str], baseline: str | None, folder: Path | None
) -> list[Figure]:
    """Draw every figure that the results have something for, in the first metric that ranks.

    Args:
        board: the aligned test results.
        rows: results of all phases.
        order: solvers, best first.
        baseline: label, or None.
        folder: where PDF, SVG and CSV go; None: nowhere, and only what the page shows is drawn.
    """
    names = [m for m in board.metrics if target(m) is None and np.isfinite(board.values(m)).any()]
    if not names:
        return []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.*"):
            if old.suffix in (".pdf", ".svg", ".csv"):
                old.unlink()
    with style():
        return [
            _saved(drawn, folder)
            for drawn in _figures(board, rows, order, baseline, names)
            if folder or drawn[0] not in BESIDE
        ]


def _saved(drawn: Drawn, folder: Path | None) -> Figure:
    name, title, caption, figure, table = drawn
    svg = save(figure, folder, name)
    files = []
    if folder is not None:
        table.map(cell_text).rename(columns=cell_text).to_csv(folder / f"{name}.csv", index=False)
        files = [f"{name}.{kind}" for kind in ("pdf", "svg", "csv")]
    return Figure(name, title, caption, "" if name in BESIDE else svg, files)


def _figures(
    board: Board, rows: Sequence[Row], order: Sequence[str], baseline: str | None, names: Sequence[str]
) -> Iterator[Drawn]:
    metric = describe(names[0])
    frame, looks = frames.results(board, metric.name, baseline), look(order, baseline)
    yield from _curves(board, rows, frame, curves.Subject(metric, looks, baseline))
    by_solver = frames.solvers(board, names)
    perception = next((m for m in map(describe, names) if m.family == "perception" and m.ranks), None)
    if perception and (figure := points.perception_distortion(by_solver, metric, perception)):
        yield ("perception_distortion", "Perception and distortion",
               f"Each solver's {perception.label} against its {metric.label}: no method can be best at both "
               "(Blau & Michaeli, CVPR 2018).", figure, by_solver)  # fmt: skip
    if baseline:
        gains = frames.gains(board, metric.name, baseline)
        if figure := points.paired_gain(gains, order, metric, baseline):
            yield ("paired_gain", "Paired gain per image",
                   f"Mean gain over {baseline} on the same measurements, one dot per image, the bar at the median.",
                   figure, gains)  # fmt: skip
    for cost in ("seconds", "evaluations"):
        if figure := points.pareto(by_solver, metric, cost):
            yield f"pareto_{cost}", f"{metric.label} against {cost}", "", figure, by_solver
    by_setting = frames.means(frame, ["solver", "setting"])
    if figure := points.gap_map(by_setting, order, metric):
        yield "gap_to_best", "Gap to best", "", figure, by_setting


def _curves(board: Board, rows: Sequence[Row], frame: Frame, subject: curves.Subject) -> Iterator[Drawn]:
    metric = subject.metric
    interval = "Means over photographs."
    if subject.baseline:
        interval += f" Below: the paired difference to {subject.baseline} with its {board.called} interval."
    curves_of: list[tuple[str, str, str, Callable[[], tuple[Any, Frame] | None]]] = [
        ("against_exposure", f"{metric.label} against exposure T",
         f"A longer exposure gathers more light and more blur (Boracchi & Foi, IEEE TIP 2012). {interval}",
         lambda: curves.against_exposure(frame, subject)),
        ("against_noise", f"{metric.label} against noise", interval,
         lambda: curves.against_noise(frame, subject, _noises(board))),
        ("sensitivity", "How much the tuned value matters",
         f"Validation {metric.label} lost away from the best value tried: one thin line per setting, the thick one "
         "their mean where each was searched. A solver that is flat here needs no careful tuning.",
         lambda: curves.sensitivity(frames.searches(rows, metric.name), metric)),
    ]  # fmt: skip
    for name, title, caption, make in curves_of:
        if drawn := make():
            yield name, title, caption, *drawn


def _noises(board: Board) -> list[str]:
    """Noise levels from the least to the worst, by what they do to the measurement's first metric."""
    about = {r["setting"]: r["noise"] for line in board.rows for r in line if r is not None}
    noise = np.array([about[s] for s in board.settings.tolist()])
    loss = describe(board.metrics[0]).loss(board.inputs(board.metrics[0]))
    names = list(dict.fromkeys(noise.tolist()))
    return sorted(
        names,
        key=lambda n: float(
            np.nan_to_num(np.nanmean(loss[noise == n]) if np.isfinite(loss[noise == n]).any() else 0)
        ),
    )
