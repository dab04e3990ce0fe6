"""The tables of the studies' experiments, each in the form in which the study printed it."""

from __future__ import annotations

import re

import numpy as np

from bench.report.board import Board, describe
from bench.report.studies import published
from bench.report.studies.table import Line, Part, Table, Value, about, crossed, headings, means, parts, used, values
from bench.report.text import number, signed
from bench.statistics.interval import means as statistics

PICTURES = ("psnr", "ssim", "lpips_alex")


def intervals(board: Board) -> str:
    """What the tables show, in words."""
    return f"Means over photographs, with {board.called} intervals; the best of a column is underlined."


def architectures(board: Board) -> list[Table]:
    """Table 1 of Innocenti 2023: networks in rows, PSNR, SSIM and LPIPS in columns."""
    return [_plain(board, "table1", "Table 1: architectures, on the halved GoPro test set", published.TABLE1)]


def full_resolution(board: Board) -> list[Table]:
    """The full-resolution row of his Table 2, for every solver."""
    return [_plain(board, "table2", "Table 2: GoPro at full resolution", published.TABLE2)]


def kernel_sizes(board: Board) -> list[Table]:
    """Table 3: methods in rows, kernel sizes in columns; a table for each noise."""
    metrics, tables = used(board, *PICTURES), []
    for k, noise in enumerate(parts(board, "noise")):
        sizes = [Part(p.label, p.cells & noise.cells) for p in parts(board, "blur")]
        title = f"Table 3: sizes of the kernel, noise: {noise.label}"
        lines = crossed(board, sizes, metrics, board.solvers)
        lines += published.lines(published.TABLE3, [p.label for p in sizes], metrics)
        tables.append(Table(f"table3-{k}", title, intervals(board), "Method", *headings(sizes, metrics), lines))
    return tables


def noise_levels(board: Board) -> list[Table]:
    """Table 4: at each noise level what goes in and what each solver gives out, and the gain in PSNR."""
    metrics = used(board, *PICTURES)
    rest = [s for s in board.solvers if s != "blurred"]
    lines: list[Line] = []
    for level in parts(board, "noise"):
        given = [means(m, board.means(board.inputs(m)[None], level.cells))[0] for m in metrics]
        lines.append(Line("In", [*(Value(v.text, v.interval) for v in given), Value("")], level.label))
        for line in crossed(board, [level], metrics, rest):
            lines.append(Line(line.label, [*line.values, _gain(board, line.label, level)], level.label))
        lines += _published_level(level.label, metrics)
    heads = [*(describe(m).label for m in metrics), "gain (dB)"]
    caption = f"“In” is the degraded picture, the gain is paired with it. {intervals(board)}"
    return [Table("table4", "Table 4: levels of noise", caption, "Noise", [], heads, lines)]


def exposures(board: Board) -> list[Table]:
    """Figure 4 as numbers: PSNR against exposure T, for each path; where the best T is, and what happens after it."""
    shapes = np.array([re.sub(r"\s*\bT=[\d.e+-]+", "", blur) for blur in about(board, "blur")], object)
    T = np.array(about(board, "T"), float)
    return [_exposures(board, Part(shape, shapes == shape), T) for shape in dict.fromkeys(shapes.tolist())]


def regularisers(board: Board) -> list[Table]:
    """CEA's table of regularisers and PSNR, and one of the paddings that a periodic method can be given.

    CEA prints the PSNR of two frames, of its own picture and PSF.
    """
    padded = [s for s in board.solvers if "padding=" in s]
    rest = [s for s in board.solvers if s not in padded]
    kinds = [("regularisers", "Regularisers", rest), ("paddings", "Paddings", padded)]
    tables = [_by(board, "setting", name, title, solvers) for name, title, solvers in kinds if solvers]
    for table in tables[: bool(rest)]:
        blank = [Value("")] * (len(table.heads) - 1)
        for label, frames in published.CEA.items():
            text = " and ".join(number(v, 2) for v in frames)
            table.lines.append(Line(label, [Value(text), *blank], published.HEADING))
    return tables


def projection_correction(board: Board) -> list[Table]:
    """PSNR and SSIM of study 000's two methods beside others, two columns for each blur. It prints no figures."""
    return [_by(board, "blur", "projection", "DPS, RED-Diff and others: motion blur of CT slices", board.solvers)]


def denoising(board: Board) -> list[Table]:
    """Study 003's table: noisy, denoised and improvement in PSNR and SSIM, for every solver; the gains are paired."""
    metrics = used(board, "psnr", "ssim")
    everything = np.ones(len(board.cells), bool)
    lines = []
    for s, solver in enumerate(board.solvers):
        if solver == "blurred":
            continue
        line: list[Value] = []
        for m in metrics:
            noisy, own, digits = board.inputs(m), board.values(m)[s], describe(m).digits
            before, after = (values(board.means(v[None], everything), digits)[0] for v in (noisy, own))
            gain = values(board.means((own - noisy)[None], everything), digits, signed)[0]
            line += [Value(before.text, before.interval), after, gain]
        lines.append(Line(solver, line))
    lines.append(Line("published", _published_denoising(metrics), published.HEADING))
    groups = [(describe(m).label, 3) for m in metrics]
    heads = ["noisy", "denoised", "improvement"] * len(metrics)
    return [Table("denoising", "Noisy, denoised, improvement", intervals(board), "Method", groups, heads, lines)]


def _published_denoising(metrics: list[str]) -> list[Value]:
    """What study 003 prints, of 16 patches of OrganAMNIST."""
    cells: list[Value] = []
    for m in metrics:
        (before, after, gain), digits = published.VPSDE[m], {"psnr": 2, "ssim": 4}[m]
        cells += [Value(number(before, digits)), Value(number(after, digits)), Value(signed(gain, digits))]
    return cells


def learnt(board: Board) -> list[Table]:
    """Blur alone, blur and noise."""
    return [_by(board, "noise", "learnt", "Blur only, blur and noise", board.solvers)]


def _published_level(level: str, metrics: list[str]) -> list[Line]:
    """What the thesis prints of a noise level: in, out and the gain."""
    if level not in published.TABLE4:
        return []
    given, out = published.TABLE4[level]
    gain = Value(signed((out[0] or 0) - (given[0] or 0), 2))
    rows = ("published: In", given, Value("")), ("published: Out", out, gain)
    return [Line(name, [*published.values(scores, metrics), last], level) for name, scores, last in rows]


def _plain(board: Board, name: str, title: str, theirs: dict[str, dict[str, published.Scores]]) -> Table:
    everything, metrics = Part("", np.ones(len(board.cells), bool)), used(board, *PICTURES)
    lines = crossed(board, [everything], metrics, board.solvers) + published.lines(theirs, [""], metrics)
    return Table(name, title, intervals(board), "Method", *headings([everything], metrics), lines)


def _by(board: Board, column: str, name: str, title: str, solvers: list[str]) -> Table:
    columns, metrics = parts(board, column), used(board, "psnr", "ssim")
    lines = crossed(board, columns, metrics, solvers)
    return Table(name, title, intervals(board), "Method", *headings(columns, metrics), lines)


def _gain(board: Board, solver: str, level: Part) -> Value:
    own = board.values("psnr")[board.solvers.index(solver)]
    return values(board.means((own - board.inputs("psnr"))[None], level.cells), 2, signed)[0]


def _exposures(board: Board, shape: Part, T: np.ndarray) -> Table:
    stops = sorted(set(T[shape.cells].tolist()))
    columns = [Part(f"T = {t:g}", shape.cells & (t == T)) for t in stops]
    psnr = board.values("psnr")
    curves = np.array([board.means(psnr, c.cells).mean for c in columns]).T
    slopes = _per_octave(board, shape.cells, T)
    lines = [
        Line(solver, [*_curve(curve), *_best(stops, curve), slope])
        for solver, curve, slope in zip(board.solvers, curves.tolist(), slopes, strict=True)
    ]
    heads = [*(c.label for c in columns), "best T", "T = 1 against best", "per octave, T ≥ 1/4"]
    caption = (
        "PSNR (dB), the best T of each method underlined; “per octave” is the mean change per doubling of T from 1/4 "
        f"to 1 on the same paths, with its {board.called} interval: one that holds 0 shows no plateau, it excludes "
        "neither one nor small slopes. Boracchi & Foi (2012) report, of their pictures and methods, a best T on a "
        "straight path and a plateau on a shaken one. The curves are among the figures."
    )
    return Table(f"fig4-{shape.label}", f"Figure 4: exposure, {shape.label}", caption, "Method", [], heads, lines)


def _curve(curve: list[float]) -> list[Value]:
    return [Value(number(v, 2), best=v == np.nanmax(curve)) for v in curve]


def _best(stops: list[float], curve: list[float]) -> list[Value]:
    """The best T, and what T = 1 loses against it."""
    if not np.isfinite(curve).any():
        return [Value(number(None, 2))] * 2
    best = int(np.nanargmax(curve))
    return [Value(f"{stops[best]:g}"), Value(signed(curve[-1] - curve[best], 2))]


def _per_octave(board: Board, cells: np.ndarray, T: np.ndarray) -> list[Value]:
    """Change of PSNR per doubling of T from the first T of at least 1/4 to the last, on the same images and paths."""
    late = sorted({t for t in T[cells].tolist() if t >= 0.25})
    if len(late) < 2:
        return [Value(number(None, 2))] * len(board.solvers)
    first, last = (
        {(c.scene, c.psf_index, c.rep): i for i, c in enumerate(board.cells) if cells[i] and T[i] == t}
        for t in (late[0], late[-1])
    )
    both = [(first[k], last[k]) for k in first.keys() & last.keys()]
    i, j = (np.array(x, int) for x in zip(*sorted(both), strict=True)) if both else (np.zeros(0, int),) * 2
    psnr, (_, groups, kernels) = board.values("psnr"), board.design(j)
    change = (psnr[:, j] - psnr[:, i]) / np.log2(late[-1] / late[0])
    return values(statistics(change, np.zeros(len(j)), groups, kernels), 2, signed)
