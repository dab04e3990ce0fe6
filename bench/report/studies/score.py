"""The score of study 004: over datasets, not over pictures."""

from __future__ import annotations

import numpy as np

from bench.report.board import Board
from bench.report.studies.table import Line, Table, Value, parts
from bench.report.text import number


def score_table(board: Board) -> Table:
    """Solvers in rows; PSNR and SSIM of each dataset, and the score.

    The score is (1/D) sum over D datasets of the mean of ``score_convir`` over the dataset: every dataset counts
    alike, however many pictures it has. The report that defines it has D = 2. It exceeds 100 where PSNR does 33 dB
    and SSIM is near 1.
    """
    datasets = parts(board, "dataset")
    psnr, ssim, points = (board.values(name) for name in ("psnr", "ssim", "score_convir"))
    of_dataset = [board.means(v, d.cells).mean for d in datasets for v in (psnr, ssim)]
    score = np.mean([board.means(points, d.cells).mean for d in datasets], axis=0)
    best = np.max(score, where=np.isfinite(score), initial=-np.inf)
    lines = []
    for s, solver in enumerate(board.solvers):
        cells = [Value(number(float(v[s]), 2 + i % 2)) for i, v in enumerate(of_dataset)]
        lines.append(Line(solver, [*cells, Value(number(float(score[s]), 2), best=bool(score[s] == best))]))
    groups = [*((d.label, 2) for d in datasets), ("", 1)]
    heads = [*(["PSNR", "SSIM"] * len(datasets)), "Score"]
    caption = "100 times the mean of PSNR / 33 and SSIM of each dataset, averaged over the datasets (study 004)."
    return Table("score", "Score over datasets", caption, "Method", groups, heads, lines)
