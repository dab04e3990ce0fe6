"""The numbers of a page, compact: every table and live plot is computed from them when a filter changes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report import certificates as certified
from bench.report.board import Board, describe, target
from bench.report.load import Row
from bench.report.tables import SIGNIFICANT, entry_facts

#: hex digits of a cell's key that the page carries; ``bench show`` takes any unambiguous beginning
KEY_DIGITS = 12
COSTS = {
    "seconds": ("seconds",),
    "calls": ("n_A", "n_At"),
    "evaluations": ("nfe_forward", "nfe_backward"),
    "samples": ("samples",),
}


def payload(board: Board, certificates: Sequence[dict[str, Any]], baseline: str | None) -> dict[str, Any]:
    """Solvers, settings, cells and one packed vector per solver and column; see ``packed``."""
    cells, settings = board.cells, _settings(board)
    images = np.unique(board.images).tolist()  # sorted, as statistics.paired sorts its clusters: the resamples agree
    number = {s["id"]: i for i, s in enumerate(settings)}
    return {
        "significant": SIGNIFICANT,
        "metrics": [_metric(name) for name in board.metrics],
        "solvers": [_solver(board, s, certificates) for s in range(len(board.solvers))],
        "settings": settings,
        "images": images,
        "cells": {
            "setting": [number[c.setting] for c in cells],
            "image": [images.index(i) for i in board.images.tolist()],
            "psf": [c.psf_index for c in cells],
            "rep": [c.rep for c in cells],
        },
        "values": {m: _vectors(board.column(f"m_{m}")) for m in board.metrics},
        "inputs": {m: packed(board.inputs(m)) for m in board.metrics},
        "costs": {name: _vectors(_sums(board, columns)) for name, columns in COSTS.items()},
        "status": [_status(rows) for rows in board.rows],
        "keys": ["".join(_key(r) for r in rows) for rows in board.rows],
        "baseline": board.solvers.index(baseline) if baseline else None,
    }


def packed(vector: np.ndarray) -> Any:
    """None if nothing is known, a number if all are the same, else base64 of little-endian float32."""
    if np.isnan(vector).all():
        return None
    if np.isfinite(vector).all() and np.ptp(vector) == 0:
        return float(np.float32(vector[0]))
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _vectors(matrix: np.ndarray) -> list[Any]:
    return [packed(row) for row in matrix]


def _metric(name: str) -> dict[str, Any]:
    m = describe(name)
    about = {"name": name, "label": m.label, "better": m.better, "digits": m.digits, "unit": m.unit}
    return {**about, "target": target(name), "protocol": m.protocol}


def _solver(board: Board, s: int, certificates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    facts = entry_facts(board, s)
    names = {facts["solver"], facts["solver_name"]}
    return {**facts, "certificate": certified.of_solver(certificates, *names)}


def _settings(board: Board) -> list[dict[str, Any]]:
    rows: dict[str, Row] = {}
    for row in (r for line in board.rows for r in line if r is not None):
        rows.setdefault(row["setting"], row)
    order = dict.fromkeys(board.settings.tolist())
    return [{"id": s, **{k: rows[s].get(k) for k in ("blur", "noise", "T", "boundary")}} for s in order]


def _sums(board: Board, columns: Sequence[str]) -> np.ndarray:
    parts = np.stack([board.column(c) for c in columns])
    known = ~np.isnan(parts)
    total = np.where(known.any(0), np.where(known, parts, 0).sum(0), np.nan)
    return np.where(board.failed, np.nan, total)


def _status(rows: Sequence[Row | None]) -> str:
    """One letter per cell: o(k), f(ailed), a(bsent); "" when all are ok."""
    letters = "".join("a" if r is None else "o" if r["status"] == "ok" else "f" for r in rows)
    return letters if set(letters) != {"o"} else ""


def _key(row: Row | None) -> str:
    key = str(row["cell_key"]) if row is not None else ""
    return key[:KEY_DIGITS].ljust(KEY_DIGITS)
