"""The numbers of a page, compact: what Python computed for every state of the filters; the script only shows them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report import certificates as certified
from bench.report.board import SAMPLE, Board, describe, target
from bench.report.facts import parse
from bench.report.figures.style import family_index
from bench.report.states import Axis, States, axes, states, texts
from bench.report.tables import by_setting, costs, entry_facts, pairs, standings
from bench.statistics.leaderboard import SIGNIFICANT, Leaderboard

#: hex digits of a cell's key that the page carries; ``bench show`` takes any unambiguous beginning
KEY_DIGITS = 12
COSTS = ("seconds", "calls", "evaluations", "parameters", "macs", "samples")
#: differences of pairs that a page carries at most: beyond them, filtered tables have the report's baseline alone
PAIRS = 20_000


def payload(board: Board, certificates: Sequence[dict[str, Any]], baseline: str | None) -> dict[str, Any]:
    """Solvers, settings, axes, and one table for each state that a reader can choose; vectors are ``packed``."""
    chosen = axes(board)
    tables = states(board, chosen)
    ranked = [m for m in board.metrics if target(m) is None]
    S = len(board.solvers)
    every_pair = len(tables.cells) * len(ranked) * S * (S - 1) // 2 <= PAIRS
    return {
        "significant": SIGNIFICANT,
        "metrics": [_metric(name) for name in board.metrics],
        "solvers": [_solver(board, s, certificates) for s in range(S)],
        "settings": _settings(board, chosen),
        "axes": [a._asdict() for a in chosen],
        "states": tables.number,
        "together": tables.together,
        "tables": _tables(board, tables, baseline, every_pair),
        "maps": [_map(board, cells) for cells in _datasets(board, chosen)],
        "baseline": board.solvers.index(baseline) if baseline else None,
    }


def packed(vector: np.ndarray) -> Any:
    """None if nothing is known, a number if all are the same, else base64 of little-endian float32."""
    vector = np.asarray(vector, float).ravel()
    if np.isnan(vector).all():
        return None
    if np.isfinite(vector).all() and np.ptp(vector) == 0:
        return float(np.float32(vector[0]))
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _tables(board: Board, tables: States, baseline: str | None, every_pair: bool) -> list[dict[str, Any]]:
    return [
        _table(board.select(cells), baseline, pairwise=every_pair or k == 0) for k, cells in enumerate(tables.cells)
    ]


def _table(board: Board, baseline: str | None, *, pairwise: bool) -> dict[str, Any]:
    """What a leaderboard shows: cells, costs, and the standings in every metric."""
    own = [costs(board, s) for s in range(len(board.solvers))]
    return {
        "cells": len(board.cells),
        "images": len(set(board.images.tolist())),
        "failed": [c["failed"] for c in own],
        "absent": [c["absent"] for c in own],
        **{name: packed(np.array([c[name] for c in own])) for name in COSTS},
        "scores": {
            m: _scores(standings(board, m, baseline), _pairs(board, m) if pairwise else None) for m in board.metrics
        },
    }


def _scores(table: Leaderboard, pairwise: dict[str, Any] | None) -> dict[str, Any]:
    """The standings of one metric, a vector for each of their fields."""
    rows, deltas = table.rows, [r.delta for r in table.rows]
    out: dict[str, Any] = {
        **{name: packed(np.array([getattr(r, name) for r in rows])) for name in ("mean", "low", "high", "within")},
        "groups": table.groups,
        "kernels": table.kernels,
        "note": table.note,
        "called": table.called,
        "few": "".join("1" if r.few else "0" for r in rows),
        "best": "".join("-" if r.maybe_best is None else "1" if r.maybe_best else "0" for r in rows),
        "needed": [r.needed for r in rows],
        "ranks": [r.ranks for r in rows] if _tell(table) else None,
        "delta": None,
        "pairs": pairwise,
    }
    if any(deltas):
        parts = ("mean", "low", "high", "adjusted")
        out["delta"] = {p: packed(np.array([getattr(d, p) if d else np.nan for d in deltas])) for p in parts}
        out["delta"]["verdict"] = "".join(
            "-" if d is None else {None: "o", True: "+", False: "x"}[d.better] for d in deltas
        )
    return out


def _tell(table: Leaderboard) -> bool:
    """Whether the ranges of ranks rule anything out: not where every row may have every place."""
    ranges = [r.ranks for r in table.rows if r.ranks]
    return any(ends != (1, len(ranges)) for ends in ranges)


def _pairs(board: Board, metric: str) -> dict[str, Any] | None:
    """Differences of row i less row j for i < j, row by row, with Benjamini and Hochberg's adjusted p-values."""
    if target(metric) is not None or len(board.solvers) < 2:
        return None
    every, upper = pairs(board, metric), np.triu_indices(len(board.solvers), 1)
    return {part: packed(getattr(every, part)[upper]) for part in ("mean", "low", "high", "adjusted")}


def _datasets(board: Board, chosen: Sequence[Axis]) -> list[np.ndarray]:
    """(n,) booleans: all cells, then those of each dataset where that is an axis; a setting may have several."""
    everything = np.ones(len(board.cells), bool)
    return [everything, *(texts(board, a.name) == v for a in chosen if a.name == "dataset" for v in a.values)]


def _map(board: Board, cells: np.ndarray) -> dict[str, Any]:
    """Solver × setting: cells, failures, and in each metric means, intervals and gaps."""
    order = dict.fromkeys(board.settings.tolist())
    here = [cells & (board.settings == s) for s in order]
    maps = {m: by_setting(board, m, here) for m in board.metrics}
    parts = ("mean", "low", "high", "gap")
    return {
        "n": [int(h.sum()) for h in here],
        "failed": [_counts(board.failed[:, h]) for h in here],
        "absent": [_counts(board.absent[:, h]) for h in here],
        "metrics": {m: {**{p: packed(getattr(x, p)) for p in parts}, "scale": x.scale} for m, x in maps.items()},
    }


def _metric(name: str) -> dict[str, Any]:
    m = describe(name)
    about = {"name": name, "label": m.label, "better": m.better, "digits": m.digits, "unit": m.unit}
    of_samples = m.of == "samples" or name.endswith(SAMPLE)
    return {**about, "target": target(name), "protocol": m.definition, "ofSamples": of_samples}


def _solver(board: Board, s: int, certificates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    facts = entry_facts(board, s)
    names = {facts["solver"], facts["solver_name"]}
    ran = dict.fromkeys(str(r.get("solver_settings") or "{}") for r in board.rows[s] if r is not None)
    certificate = certified.of_solver(certificates, *names, settings=[parse(t) for t in ran])
    return {**facts, "colour": family_index(facts["family"] or "other"), "certificate": certificate}


def _settings(board: Board, chosen: Sequence[Axis]) -> list[dict[str, Any]]:
    """Each setting: its name, blur, noise and exposure, and the values that it has on the axes."""
    own = {a.name: texts(board, a.name) for a in chosen}
    out = []
    for s, i in {s: i for i, s in reversed(list(enumerate(board.settings.tolist())))}.items():
        about = {name: board.about(name)[i] for name in ("blur", "noise", "T")}
        out.append((i, {"id": s, **about, "on": {name: str(v[i]) for name, v in own.items() if name != "dataset"}}))
    return [entry for _, entry in sorted(out, key=lambda x: x[0])]


def _counts(cells: np.ndarray) -> list[int] | int:
    """Per solver; 0 where all are 0."""
    return cells.sum(1).tolist() if cells.any() else 0
