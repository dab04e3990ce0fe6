"""The tables of the studies' experiments, each in the form in which the study printed it."""

from __future__ import annotations

import re

import numpy as np

from bench.report.board import Board, describe
from bench.report.studies.table import Line, Part, Table, Value, about, crossed, headings, means, parts, used
from bench.report.text import number, signed
from bench.statistics.paired import clustered_mean, paired_difference

PICTURES = ("psnr", "ssim", "lpips_alex")
INTERVALS = "Means over images, with 95 % intervals; the best of a column is underlined."


def architectures(board: Board) -> list[Table]:
    """Table 1 of Innocenti 2023: networks in rows, PSNR, SSIM and LPIPS in columns."""
    return [_plain(board, "table1", "Table 1: architectures, on the halved GoPro test set")]


def full_resolution(board: Board) -> list[Table]:
    """The full-resolution row of his Table 2, for every solver."""
    return [_plain(board, "table2", "Table 2: GoPro at full resolution")]


def kernel_sizes(board: Board) -> list[Table]:
    """Table 3: methods in rows, kernel sizes in columns; a table for each noise."""
    metrics, tables = used(board, *PICTURES), []
    for k, noise in enumerate(parts(board, "noise")):
        sizes = [Part(p.label, p.cells & noise.cells) for p in parts(board, "blur")]
        title = f"Table 3: sizes of the kernel, noise: {noise.label}"
        lines = crossed(board, sizes, metrics, board.solvers)
        tables.append(Table(f"table3-{k}", title, INTERVALS, "Method", *headings(sizes, metrics), lines))
    return tables


def noise_levels(board: Board) -> list[Table]:
    """Table 4: at each noise level what goes in and what each solver gives out, and the gain in PSNR."""
    metrics = used(board, *PICTURES)
    rest = [s for s in board.solvers if s != "blurred"]
    lines: list[Line] = []
    for level in parts(board, "noise"):
        given = [means(m, board.inputs(m)[None, level.cells], board.groups[level.cells])[0] for m in metrics]
        lines.append(Line("In", [*(Value(v.text, v.half) for v in given), Value("")], level.label))
        for line in crossed(board, [level], metrics, rest):
            lines.append(Line(line.label, [*line.values, _gain(board, line.label, level)], level.label))
    heads = [*(describe(m).label for m in metrics), "gain (dB)"]
    caption = f"“In” is the degraded picture, the gain is paired with it. {INTERVALS}"
    return [Table("table4", "Table 4: levels of noise", caption, "Noise", [], heads, lines)]


def exposures(board: Board) -> list[Table]:
    """Figure 4 as numbers: PSNR against exposure T, for each path; where the best T is, and what happens after it."""
    shapes = np.array([re.sub(r"\s*\bT=[\d.e+-]+", "", blur) for blur in about(board, "blur")], object)
    T = np.array(about(board, "T"), float)
    return [_exposures(board, Part(shape, shapes == shape), T) for shape in dict.fromkeys(shapes.tolist())]


def regularisers(board: Board) -> list[Table]:
    """CEA's table of regularisers and PSNR, and one of the paddings that a periodic method can be given."""
    padded = [s for s in board.solvers if "padding=" in s]
    rest = [s for s in board.solvers if s not in padded]
    kinds = [("regularisers", "Regularisers", rest), ("paddings", "Paddings", padded)]
    return [_by(board, "setting", name, title, solvers) for name, title, solvers in kinds if solvers]


def learnt(board: Board) -> list[Table]:
    """Blur alone, blur and noise."""
    return [_by(board, "noise", "learnt", "Blur only, blur and noise", board.solvers)]


def _plain(board: Board, name: str, title: str) -> Table:
    everything, metrics = Part("", np.ones(len(board.cells), bool)), used(board, *PICTURES)
    lines = crossed(board, [everything], metrics, board.solvers)
    return Table(name, title, INTERVALS, "Method", *headings([everything], metrics), lines)


def _by(board: Board, column: str, name: str, title: str, solvers: list[str]) -> Table:
    columns, metrics = parts(board, column), used(board, "psnr", "ssim")
    lines = crossed(board, columns, metrics, solvers)
    return Table(name, title, INTERVALS, "Method", *headings(columns, metrics), lines)


def _gain(board: Board, solver: str, level: Part) -> Value:
    values = board.values("psnr")[board.solvers.index(solver)][level.cells]
    gain = paired_difference(values, board.inputs("psnr")[level.cells], board.groups[level.cells])
    return Value(signed(gain.mean, 2), "" if np.isnan(gain.half_width) else number(gain.half_width, 2))


def _exposures(board: Board, shape: Part, T: np.ndarray) -> Table:
    stops = sorted(set(T[shape.cells].tolist()))
    columns = [Part(f"T = {t:g}", shape.cells & (t == T)) for t in stops]
    lines = []
    for solver, values in zip(board.solvers, board.values("psnr"), strict=True):
        curve = [clustered_mean(values[c.cells], board.groups[c.cells])[0] for c in columns]
        lines.append(Line(solver, [*_curve(curve), *_verdict(stops, curve)]))
    heads = [*(c.label for c in columns), "best T", "T = 1 against best", "per octave, T ≥ 1/4"]
    caption = (
        "PSNR (dB), the best T of each method underlined; “per octave” is the mean change per doubling of T from 1/4 "
        "to 1. Boracchi & Foi (2012): on a straight path there is a best T, on a shaken one quality levels off. The "
        "curves are among the figures."
    )
    return Table(f"fig4-{shape.label}", f"Figure 4: exposure, {shape.label}", caption, "Method", [], heads, lines)


def _curve(curve: list[float]) -> list[Value]:
    return [Value(number(v, 2), best=v == np.nanmax(curve)) for v in curve]


def _verdict(stops: list[float], curve: list[float]) -> list[Value]:
    if not np.isfinite(curve).any():
        return [Value(number(None, 2))] * 3
    best = int(np.nanargmax(curve))
    late = [(np.log2(t), v) for t, v in zip(stops, curve, strict=True) if t >= 0.25]
    span = late[-1][0] - late[0][0] if late else 0
    slope = (late[-1][1] - late[0][1]) / span if span else float("nan")
    return [Value(f"{stops[best]:g}"), Value(signed(curve[-1] - curve[best], 2)), Value(signed(float(slope), 2))]
