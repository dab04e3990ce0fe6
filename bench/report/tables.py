"""The two tables of numbers, as plain data: leaderboard, and solver × setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from bench.report import facts
from bench.report.board import Board, describe
from bench.results.folder import Row
from bench.statistics.leaderboard import Leaderboard, Pairwise, pairwise_differences
from bench.statistics.leaderboard import leaderboard as statistics

#: columns with a caution about a row: code that its keys cannot follow; what its weights were trained on, where that
#: is the very degradation of the test or far from it
NOTES = ("unverified", "training_note")
#: hex digits of a weights file's SHA-256 that the page shows
SHA_DIGITS = 12


def pick_baseline(board: Board, wanted: str | None = None) -> str | None:
    """The solver to compare with: the wanted one, else plain Wiener, else the blurred input; None without scores."""
    if wanted is not None:
        return wanted if wanted in board.solvers else None
    if len(board.cells) and board.unscored.all():
        return None
    names = {s: row["solver_name"] for s, rows in zip(board.solvers, board.rows, strict=True) for row in rows if row}
    for name in ("wiener", "blurred"):
        for solver in board.solvers:
            if name in (solver, names.get(solver)):
                return solver
    return None


def standings(board: Board, name: str, baseline: str | None) -> Leaderboard:
    """The statistics of one metric on a board: the one place where the report asks ``bench.statistics``."""
    metric = describe(name)
    return statistics(
        board.values(name),
        *board.design(),
        lower_is_better=metric.better == "lower" if metric.ranks else None,
        baseline=board.row_of(baseline),
        same_as=board.estimators,
    )


def pairs(board: Board, name: str) -> Pairwise:
    """All differences of two solvers in one metric, on the cells that all of them have."""
    return pairwise_differences(board.values(name), *board.design(), same_as=board.estimators)


def leaderboard(board: Board, baseline: str | None) -> list[dict[str, Any]]:
    """One entry per solver, best first by the first metric; ``scores`` holds a ``Standing`` for each metric."""
    entries = [_solver_entry(board, s) for s in range(len(board.solvers))]
    tables = {name: standings(board, name, baseline) for name in board.metrics}
    for s, entry in enumerate(entries):
        entry["scores"] = {name: table.rows[s] for name, table in tables.items()}
    if not board.metrics:
        return entries
    return [entries[s] for s in tables[board.metrics[0]].order]


def _solver_entry(board: Board, s: int) -> dict[str, Any]:
    return {**entry_facts(board, s), **costs(board, s), "scores": {}}


def costs(board: Board, s: int) -> dict[str, Any]:
    """Cells of a solver: how many were run, failed, were not run; medians over those that succeeded."""
    rows = [r for r in board.rows[s] if r is not None]
    ok = [r for r in rows if r["status"] == "ok"]
    return {
        "cells": len(rows),
        "failed": int(board.failed[s].sum()),
        "absent": int(board.absent[s].sum()),
        "seconds": median(r.get("seconds") for r in ok),
        "calls": median(_sum(r, "n_A", "n_At") for r in ok),
        "evaluations": median(_sum(r, "nfe_forward", "nfe_backward") for r in ok),
        "parameters": median(r.get("parameters") for r in ok),
        "macs": median(r.get("macs") for r in ok),
        "samples": median(r.get("samples") for r in ok),
    }


def entry_facts(board: Board, s: int) -> dict[str, Any]:
    """What a solver says about itself."""
    rows = [r for r in board.rows[s] if r is not None]
    first: Row = rows[0]
    tunings = sorted({str(r["tuning"]) for r in rows if r.get("tuning")})
    notes = {name: _joined(rows, name) for name in NOTES}
    return {
        "solver": board.solvers[s],
        "solver_name": first.get("solver_name") or "",
        "settings": first.get("solver_settings") or "",
        "weights": weights_of(rows),
        "same_as": board.estimators[s],
        **notes,
        "family": first.get("family") or "",
        "blind": bool(first.get("blind")),
        "stochastic": bool(first.get("stochastic")),
        "tuning": "oracle" if "oracle" in tunings else (tunings[0] if tunings else ""),
    }


def _joined(rows: Sequence[Row], column: str) -> str:
    return "; ".join(sorted({str(r[column]) for r in rows if r.get(column)}))


def weights_of(rows: Sequence[Row]) -> str:
    """Name and short SHA-256 of the weights or the prior behind a solver's rows; "" for one that has none.

    Several files (a solver tuned over them, or runs put together) are all listed.
    """
    trained = [r for r in rows if r.get("weights_sha") or r.get("prior")]
    used = dict.fromkeys((_weights_name(r), str(r.get("weights_sha") or "")[:SHA_DIGITS]) for r in trained)
    return ", ".join(" ".join(filter(None, pair)) for pair in used)


def _weights_name(row: Row) -> str:
    if row.get("prior"):
        return str(row["prior"])
    return PurePath(str(facts.parse(row.get("solver_settings")).get("weights") or "")).stem


class SettingMap(NamedTuple):
    """One metric for each solver and setting, (S, T) each.

    Attributes:
        mean, low, high: with 95 % interval; NaN where there is none.
        gap: loss less the least loss of the setting; 0 for the best, NaN where there is no finite value.
        scale: the 75th percentile of the gaps: where the map's colour is full.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gap: np.ndarray
    scale: float


def by_setting(board: Board, name: str, cells: Sequence[np.ndarray]) -> SettingMap:
    """The map of a metric; a check's gap is the distance from its target, less that of the closest.

    Args:
        board: of S solvers and n cells.
        name: of the metric.
        cells: (n,) booleans for each of T settings.
    """
    values = board.values(name)
    parts = np.full((3, len(board.solvers), len(cells)), np.nan)
    for t, here in enumerate(cells):
        if here.any():
            table = statistics(values[:, here], *board.design(here), lower_is_better=None)
            parts[:, :, t] = np.array([(r.mean, r.low, r.high) for r in table.rows]).T
    loss = describe(name).loss(parts[0])
    best = np.min(loss, axis=0, where=np.isfinite(loss), initial=np.inf)
    gap = np.subtract(loss, best, where=np.isfinite(loss), out=np.full_like(loss, np.nan))
    return SettingMap(parts[0], parts[1], parts[2], gap, _scale(gap))


def _scale(gap: np.ndarray) -> float:
    positive = gap[gap > 0]
    return float(np.quantile(positive, 0.75)) if len(positive) else 1.0


def median(values: Any) -> float:
    """Median of what is known; NaN of nothing."""
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else float("nan")


def _sum(row: Row, *names: str) -> float | None:
    known = [row[n] for n in names if row.get(n) is not None]
    return float(sum(known)) if known else None
