"""The two tables of numbers, as plain data: leaderboard, and solver × setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from bench.report import facts
from bench.report.board import Board, describe
from bench.report.load import Row
from bench.statistics.multiplicity import holm
from bench.statistics.paired import clustered_mean, paired_difference, rank_ranges

SIGNIFICANT = 0.05
#: hex digits of a weights file's SHA-256 that the page shows
SHA_DIGITS = 12


def pick_baseline(board: Board, wanted: str | None = None) -> str | None:
    """The solver to compare with: the wanted one, else plain Wiener, else the blurred input."""
    if wanted is not None:
        return wanted if wanted in board.solvers else None
    names = {s: row["solver_name"] for s, rows in zip(board.solvers, board.rows, strict=True) for row in rows if row}
    for name in ("wiener", "blurred"):
        for solver in board.solvers:
            if name in (solver, names.get(solver)):
                return solver
    return None


def leaderboard(board: Board, baseline: str | None) -> list[dict[str, Any]]:
    """One entry per solver, best first by the first metric."""
    entries = [_solver_entry(board, s) for s in range(len(board.solvers))]
    for metric in board.metrics:
        scores = _scores(board, metric, baseline)
        for entry, score in zip(entries, scores, strict=True):
            entry["scores"][metric] = score
    if board.metrics:
        first = describe(board.metrics[0])
        entries.sort(key=lambda e: _last_if_nan(float(first.loss(np.array(e["scores"][first.name]["mean"])))))
    return entries


def _solver_entry(board: Board, s: int) -> dict[str, Any]:
    rows = [r for r in board.rows[s] if r is not None]
    ok = [r for r in rows if r["status"] == "ok"]
    return {
        **entry_facts(board, s),
        "cells": len(rows),
        "failed": int(board.failed[s].sum()),
        "absent": int(board.absent[s].sum()),
        "seconds": median(r.get("seconds") for r in ok),
        "calls": median(_sum(r, "n_A", "n_At") for r in ok),
        "evaluations": median(_sum(r, "nfe_forward", "nfe_backward") for r in ok),
        "scores": {},
    }


def entry_facts(board: Board, s: int) -> dict[str, Any]:
    """What a solver says about itself."""
    rows = [r for r in board.rows[s] if r is not None]
    first: Row = rows[0]
    tunings = sorted({str(r["tuning"]) for r in rows if r.get("tuning")})
    return {
        "solver": board.solvers[s],
        "solver_name": first.get("solver_name") or "",
        "settings": first.get("solver_settings") or "",
        "weights": weights_of(rows),
        "family": first.get("family") or "",
        "blind": bool(first.get("blind")),
        "stochastic": bool(first.get("stochastic")),
        "tuning": "oracle" if "oracle" in tunings else (tunings[0] if tunings else ""),
    }


def weights_of(rows: Sequence[Row]) -> str:
    """Name and short SHA-256 of the weights behind a solver's rows; "" for one that has none.

    Several files (a solver tuned over them, or runs put together) are all listed.
    """
    used = dict.fromkeys((_weights_name(r), str(r["weights_sha"])[:SHA_DIGITS]) for r in rows if r.get("weights_sha"))
    return ", ".join(" ".join(filter(None, pair)) for pair in used)


def _weights_name(row: Row) -> str:
    return PurePath(str(facts.parse(row.get("solver_settings")).get("weights") or "")).stem


def _scores(board: Board, name: str, baseline: str | None) -> list[dict[str, Any]]:
    metric, values = describe(name), board.values(name)
    intervals = [clustered_mean(v, board.images) for v in values]
    ranked = metric.better != "one"
    ranks = rank_ranges(metric.loss(values), board.images) if ranked else [None] * len(values)
    deltas = _deltas(board, values, baseline) if ranked and baseline else [None] * len(values)
    return [
        {"mean": mean, "half": half, "rank": rank, "delta": _verdict(delta, metric.higher_is_better)}
        for (mean, half), rank, delta in zip(intervals, ranks, deltas, strict=True)
    ]


def _deltas(board: Board, values: np.ndarray, baseline: str) -> list[dict[str, float] | None]:
    b = board.solvers.index(baseline)
    others = [s for s in range(len(values)) if s != b]
    found = {s: paired_difference(values[s], values[b], board.images) for s in others}
    adjusted = dict(zip(others, holm([found[s].p for s in others]), strict=True))
    return [
        {"mean": found[s].mean, "half": found[s].half_width, "p": float(adjusted[s])} if s in found else None
        for s in range(len(values))
    ]


def _verdict(delta: dict[str, float] | None, higher_is_better: bool | None) -> dict[str, Any] | None:
    if delta is None or higher_is_better is None:
        return None
    up = delta["mean"] > 0
    sure = delta["p"] < SIGNIFICANT
    return {
        **delta,
        "sure": sure,
        "verdict": ("better" if up == higher_is_better else "worse") if sure else "unclear",
    }


def by_setting(board: Board, name: str, order: list[str]) -> dict[str, Any]:
    """Mean of one metric for each solver (in ``order``) and setting, with the gap to the setting's best.

    ``heat`` runs from 0 (the best of the setting) to 100 (the table's 75th percentile of the gaps, or beyond).
    """
    metric, values = describe(name), board.values(name)
    settings = list(dict.fromkeys(board.settings.tolist()))
    index = [board.solvers.index(s) for s in order]
    cells = [[_setting_cell(board, values, s, t) for t in settings] for s in index]
    means = np.array([[c["mean"] for c in row] for row in cells], float).reshape(len(index), len(settings))
    loss = metric.loss(means)
    best = np.array([column[np.isfinite(column)].min(initial=np.inf) for column in loss.T])
    gap = loss - best[None, :]
    gap = np.where(np.isfinite(gap), gap, np.nan)
    scale = _gap_scale(gap)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            g = float(gap[i, j])
            heat = 0 if math.isnan(g) else round(100 * min(g / scale, 1))
            cell.update(gap=g, heat=heat, best=g == 0)
    lines = [{"solver": s, "cells": row} for s, row in zip(order, cells, strict=True)]
    return {"metric": name, "settings": settings, "rows": lines, "scale": scale}


def _setting_cell(board: Board, values: np.ndarray, s: int, setting: str) -> dict[str, Any]:
    here = board.settings == setting
    mean, half = clustered_mean(values[s, here], board.images[here])
    failed, absent = int(board.failed[s, here].sum()), int(board.absent[s, here].sum())
    return {"mean": mean, "half": half, "n": int(here.sum()), "failed": failed, "absent": absent}


def _gap_scale(gap: np.ndarray) -> float:
    positive = gap[np.isfinite(gap) & (gap > 0)]
    return float(np.quantile(positive, 0.75)) if len(positive) else 1.0


def median(values: Any) -> float:
    """Median of what is known; NaN of nothing."""
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else float("nan")


def _sum(row: Row, *names: str) -> float | None:
    known = [row[n] for n in names if row.get(n) is not None]
    return float(sum(known)) if known else None


def _last_if_nan(value: float) -> tuple[bool, float]:
    return math.isnan(value), value
