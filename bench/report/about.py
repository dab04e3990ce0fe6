"""What the page tells of a solver beside its numbers: what it does, where it comes from, what tuning chose."""

from __future__ import annotations

from typing import Any

from bench.report import facts
from bench.report.board import Board
from bench.report.load import Results

#: what a row that was tuned on the test pictures adds to the name of its solver
ORACLE = " (oracle)"


def about_solvers(results: Results, board: Board) -> list[dict[str, Any]]:
    """For each solver of the board: summary, reference, the tuned values of each setting, and the expected χ²."""
    tuned = facts.tuned_values(results.rows)
    chosen = {
        row["solver"]: [
            [setting, ", ".join(f"{name} {value}" for name, value in cell)]
            for setting, cell in zip(tuned["settings"], row["cells"], strict=True)
            if cell
        ]
        for row in tuned["rows"]
    }
    out = []
    for s, solver in enumerate(board.solvers):
        about = results.about.get(solver) or results.about.get(solver.removesuffix(ORACLE), {})
        out.append({
            "summary": about.get("summary", ""),
            "reference": about.get("reference", ""),
            "tuned": chosen.get(solver, []),
            "expected_chi2": expected_chi2(board, s),
        })  # fmt: skip
    return out


def expected_chi2(board: Board, s: int) -> str:
    """The residual χ² that a solver of its kind should have, as far as theory says; "" where it says nothing.

    The truth has 1. A draw x' from the posterior is distributed with y as the truth is, so it has 1 too. Their mean
    x̂ has E |y - K x̂|² = E |y - K x'|² - tr K Σ Kᵀ, Σ the covariance of the posterior, and leaves
    1 - tr(K Σ Kᵀ) / (N σ²): less than 1 by what the data do not determine of K x. A point estimate is judged as a
    mean: how much less than 1 is right depends on the model, and for a linear filter x̂ = R y with the right one
    is tr(K R) / N. The blurred input is no estimate of x, and a blind solver does not know K.
    """
    rows = [r for r in board.rows[s] if r is not None]
    if rows[0].get("blind") or rows[0].get("family") == "reference":
        return ""
    return "1" if board.sampled[s] else "< 1"
