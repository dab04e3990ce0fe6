"""The score of study 004: over datasets, not over pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.metrics.evaluate import SCORE_POINTS, SCORE_PSNR
from bench.report.board import Board
from bench.report.studies.table import Line, Table, Value, parts
from bench.report.text import number


def score_convir(datasets: Mapping[str, tuple[float, float]]) -> float:
    """(1/D) sum over D datasets of 100 avg(PSNR / 33, SSIM), from each dataset's mean PSNR (dB) and mean SSIM.

    The report that defines it has D = 2. It exceeds 100 where PSNR does 33 dB and SSIM is near 1.
    """
    terms = [SCORE_POINTS * (psnr / SCORE_PSNR + ssim) / 2 for psnr, ssim in datasets.values()]
    return sum(terms) / len(terms)


def score_table(board: Board) -> Table:
    """Solvers in rows; PSNR and SSIM of each dataset, and the score."""
    datasets = parts(board, "dataset")
    psnr, ssim = board.values("psnr"), board.values("ssim")
    of_dataset = {d.label: [board.means(v, d.cells).mean for v in (psnr, ssim)] for d in datasets}
    scored: list[tuple[float, Line]] = []
    for s, solver in enumerate(board.solvers):
        means = {name: (float(p[s]), float(q[s])) for name, (p, q) in of_dataset.items()}
        score = score_convir(means)
        cells = [Value(number(v, digits)) for m in means.values() for v, digits in zip(m, (2, 3), strict=True)]
        scored.append((score, Line(solver, cells)))
    best = max((score for score, _ in scored if np.isfinite(score)), default=None)
    lines = [Line(e.label, [*e.values, Value(number(score, 2), best=score == best)]) for score, e in scored]
    groups = [*((d.label, 2) for d in datasets), ("", 1)]
    heads = [*(["PSNR", "SSIM"] * len(datasets)), "Score"]
    caption = "100 times the mean of PSNR / 33 and SSIM of each dataset, averaged over the datasets (study 004)."
    return Table("score", "Score over datasets", caption, "Method", groups, heads, lines)
