"""Stored arrays to pictures that a page opened from a file may load: one JavaScript chunk per measured cell.

Pictures are 8 bit and for the eye: every number of the report comes from the float results.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from bench.errors import ResultError
from bench.report.board import Board
from bench.report.encode import data_uri, psf_uri, script_json, signed_uri, support, to_float
from bench.report.load import Pictures
from bench.report.payload import KEY_DIGITS
from bench.report.residual import Whitener, whitener
from bench.results.folder import Row
from bench.results.identity import MeasurementId

#: residuals are shown up to so many standard deviations
RESIDUAL_LIMIT = 4.0
#: posterior samples shown per solver
SAMPLES = 4
#: numpy parses a header with ast, which Python 3.11 may not do in two threads at once (gh-106905)
_READING = Lock()


@dataclass(frozen=True)
class Chunk:
    """The pictures of one measured cell.

    Attributes:
        name: what the page asks for.
        cell: number of the cell on the board.
        truth: whether the true picture is among them.
        json: ASCII, fit for a <script>.
    """

    name: str
    cell: int
    json: str
    truth: bool


def chunks(pictures: Sequence[Pictures], board: Board) -> list[Chunk]:
    """One chunk for each measured cell with stored pictures that the board knows."""
    grouped: dict[MeasurementId, list[Pictures]] = {}
    for p in pictures:
        grouped.setdefault(p.measurement, []).append(p)
    known = {cell: i for i, cell in enumerate(board.cells)}
    work = [(number, known[m], files) for number, (m, files) in enumerate(grouped.items()) if m in known]
    values = {m: board.values(m) for m in board.metrics}
    inputs = {m: board.inputs(m) for m in board.metrics}

    def one(item: tuple[int, int, list[Pictures]]) -> Chunk:
        number, cell, files = item
        rows = {s: line[cell] for s, line in zip(board.solvers, board.rows, strict=True)}
        content = _cell(files, rows)
        for entry in content["pictures"]:
            if entry["kind"] == "solver" and entry["label"] in board.solvers:
                s = board.solvers.index(entry["label"])
                entry["scores"] = {m: _digits(v[s, cell]) for m, v in values.items()}
            elif entry["kind"] == "y":
                entry["scores"] = {m: _digits(v[cell]) for m, v in inputs.items()}
        truth = content["pictures"][0]["kind"] == "truth"
        return Chunk(f"cell-{number:04d}", cell, script_json(content), truth)

    # Encoders work outside the interpreter's lock.
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, work))


def _digits(value: float) -> float | None:
    """As many digits as anybody reads; None where there is no finite number."""
    return float(f"{value:.7g}") if np.isfinite(value) else None


def write_chunks(cells: Sequence[Chunk], data: Path) -> None:
    """Write ``data/cell-NNNN.js`` each; chunks of an earlier report there are removed, nothing else is touched."""
    for old in data.glob("cell-[0-9][0-9][0-9][0-9]*.js"):
        old.unlink()
    for chunk in cells:
        data.mkdir(parents=True, exist_ok=True)
        (data / f"{chunk.name}.js").write_text(f"benchCell({json.dumps(chunk.name)},{chunk.json});\n", "ascii")


def _cell(files: Sequence[Pictures], rows: dict[str, Row | None]) -> dict[str, Any]:
    common, estimates = stored_arrays(files)
    boundary = next((r["boundary"] for r in rows.values() if r), "valid")
    truth, psf = common.get("truth"), common.get("psf")
    white = None if psf is None else whitener(truth, common["y"], psf, boundary, common.get("level"))
    out = []
    if truth is not None:
        out.append({"kind": "truth", "label": "ground truth", "src": data_uri(truth)})
    out.append({"kind": "y", "label": "measurement", "src": data_uri(common["y"])})
    if psf is not None:
        side = len(support(psf))
        out.append({"kind": "psf", "label": "PSF", "src": psf_uri(psf), "note": f"{side} × {side} px"})
    out += [_solver(s, row, estimates.get(s, {}), white) for s, row in rows.items() if row or s in estimates]
    return {"pictures": out, "noise": white.about if white else ""}


def _solver(label: str, row: Row | None, arrays: dict[str, np.ndarray], white: Whitener | None) -> dict[str, Any]:
    row = row or {}
    entry: dict[str, Any] = {"kind": "solver", "label": label, "key": (row.get("cell_key") or "")[:KEY_DIGITS]}
    if row.get("status", "ok") != "ok":
        return {**entry, "failure": " ".join(filter(None, (row["status"], row.get("error_message"))))}
    if "solver" not in arrays:
        return entry
    # A solver that drew several samples stands by their mean, in the tables and here.
    shown = arrays.get("mean", arrays["solver"])
    entry["src"] = data_uri(shown)
    if white:
        entry["residual"] = signed_uri(white(shown), RESIDUAL_LIMIT)
    return {**entry, **_posterior(arrays)}


def _posterior(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Standard deviation (C, H, W) and samples (k, C, H, W) of a stochastic solver, where they were stored."""
    out: dict[str, Any] = {}
    if "samples" in arrays:
        out["samples"] = [data_uri(x) for x in arrays["samples"][:SAMPLES]]
    if "std" in arrays:
        std = arrays["std"].mean(0)
        top = float(np.quantile(std, 0.99)) or 1.0
        out |= {"std": data_uri(std[None] / top), "std_max": top}
    return out


def _stored(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file. Raises ResultError when it is damaged; its checksums are looked at."""
    try:
        with _READING, path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {str(name): to_float(stored[name]) for name in stored.files}
    except Exception as error:  # zipfile and its decompressors have many ways to say that a file is broken
        raise ResultError(f"{path} cannot be read as pictures: {error}") from error


def stored_arrays(files: Sequence[Pictures]) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """What all solvers of a cell share, y and where they are known truth and psf; and by reported label what each of
    them left: solver, samples, std.
    """
    common: dict[str, np.ndarray] = {}
    estimates: dict[str, dict[str, np.ndarray]] = {}
    for file in files:
        stored = _stored(file.path)
        if "y" not in stored:
            raise ResultError(f"{file.path} lacks the array y")
        for name, array in stored.items():
            kind, colon, label = name.partition(":")
            if colon:
                estimates.setdefault(file.labels.get(label, label), {})[kind] = array
            else:
                common[kind] = array
    if "psf" in common:
        common["psf"] = common["psf"].reshape(common["psf"].shape[-2:])
    return common, estimates
