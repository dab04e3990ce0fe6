"""What the page tells of a solver beside its numbers: what it does, where it comes from, what tuning chose."""

from __future__ import annotations

from typing import Any

from bench.report import facts
from bench.report.board import Board
from bench.report.load import Results

#: what a row that was tuned on the test pictures adds to the name of its solver
ORACLE = " (oracle)"


def about_solvers(results: Results, board: Board) -> list[dict[str, Any]]:
    """For each solver of the board: summary, reference, the tuned values of each setting."""
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
    for solver in board.solvers:
        about = results.about.get(solver) or results.about.get(solver.removesuffix(ORACLE), {})
        out.append({
            "summary": about.get("summary", ""),
            "reference": about.get("reference", ""),
            "tuned": chosen.get(solver, []),
        })  # fmt: skip
    return out
