"""Stored arrays to pictures that a page opened from a file may load: JavaScript chunks with WebP data URIs.

A page from ``file://`` may neither fetch nor read the pixels of a neighbouring image file; a classic script may
carry both. Pictures are 8 bit and for the eye: every number of the report comes from the float results.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ResultError
from bench.report.board import Board
from bench.report.load import Pictures, Row

Key = tuple[str, str, int, int]


def write_chunks(
    pictures: Sequence[Pictures], board: Board, order: Sequence[str], data: Path
) -> list[dict[str, Any]]:
    """Write one ``data/cell-NNNN.js`` per measured cell with stored pictures; returns the index for the page."""
    grouped: dict[Key, list[Pictures]] = {}
    for p in pictures:
        grouped.setdefault((p.setting, p.image, p.psf_index, p.rep), []).append(p)
    _clear(data)
    rows = _rows_of(board)
    index = []
    for number, (key, files) in enumerate(grouped.items()):
        name = f"cell-{number:04d}"
        chunk = {"pictures": _cell(files, rows.get(key, {}), order, board.metrics)}
        data.mkdir(parents=True, exist_ok=True)
        (data / f"{name}.js").write_text(f"benchCell({json.dumps(name)}, {script_json(chunk)});\n", encoding="ascii")
        index.append(dict(zip(("setting", "image", "psf", "rep"), key, strict=True), chunk=name))
    return index


def script_json(value: Any) -> str:
    """ASCII JSON that may stand inside a <script>: no ``<``, ``>`` or ``&`` in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _clear(data: Path) -> None:
    # Chunks of an earlier report in the same place; nothing else in the folder is touched.
    for old in data.glob("cell-[0-9][0-9][0-9][0-9]*.js"):
        old.unlink()


def _rows_of(board: Board) -> dict[Key, dict[str, Row]]:
    found: dict[Key, dict[str, Row]] = {}
    for solver, rows in zip(board.solvers, board.rows, strict=True):
        for cell, row in zip(board.cells, rows, strict=True):
            if row is not None:
                found.setdefault((cell.setting, cell.image, cell.psf_index, cell.rep), {})[solver] = row
    return found


def _cell(files: Sequence[Pictures], rows: dict[str, Row], order: Sequence[str], metrics: Sequence[str]) -> list[Any]:
    common, estimates = _arrays(files)
    out = [
        {"kind": "truth", "label": "ground truth", "src": data_uri(common["truth"])},
        {"kind": "y", "label": "measurement", "src": data_uri(common["y"]), "scores": _input_scores(rows, metrics)},
        {"kind": "psf", "label": "PSF", "src": psf_uri(common["psf"]), "note": _psf_note(common["psf"])},
    ]
    for solver in [s for s in order if s in estimates or s in rows]:
        row = rows.get(solver, {})
        entry = {"kind": "solver", "label": solver, "scores": _scores(row, metrics), "key": row.get("cell_key")}
        if row.get("status", "ok") != "ok":
            entry["failure"] = " ".join(filter(None, (row["status"], row.get("error_message"))))
        elif solver in estimates:
            entry["src"] = data_uri(estimates[solver])
        out.append(entry)
    return out


def _arrays(files: Sequence[Pictures]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    common: dict[str, np.ndarray] = {}
    estimates: dict[str, np.ndarray] = {}
    for file in files:
        with np.load(file.path, allow_pickle=False) as stored:
            missing = {"truth", "y", "psf"} - set(stored.files)
            if missing:
                raise ResultError(f"{file.path} lacks the arrays {', '.join(sorted(missing))}")
            common = {name: to_float(stored[name]) for name in ("truth", "y", "psf")}
            for name in stored.files:
                if name.startswith("solver:"):
                    label = str(name).removeprefix("solver:")
                    estimates[file.labels.get(label, label)] = to_float(stored[name])
    return common, estimates


def _scores(row: Row, metrics: Sequence[str], prefix: str = "m_") -> dict[str, float]:
    values = {m: row.get(prefix + m) for m in metrics}
    return {m: float(v) for m, v in values.items() if v is not None and np.isfinite(v)}


def _input_scores(rows: dict[str, Row], metrics: Sequence[str]) -> dict[str, float]:
    return next((s for s in (_scores(r, metrics, "in_") for r in rows.values()) if s), {})


def to_float(array: np.ndarray) -> np.ndarray:
    """uint8 is read as value / 255; floats are taken as they are."""
    return array.astype(np.float64) / 255 if array.dtype == np.uint8 else array.astype(np.float64)


def data_uri(image: np.ndarray) -> str:
    """A picture (C, H, W) in [0, 1], clipped, as lossless 8-bit WebP."""
    return _webp(np.clip(np.nan_to_num(image), 0, 1))


def psf_uri(psf: np.ndarray) -> str:
    """A PSF, cropped to a centred square round its support and scaled to its maximum."""
    psf = psf.reshape(psf.shape[-2:])
    return _webp(_support(psf)[None] / max(psf.max(), np.finfo(float).tiny))


def _support(psf: np.ndarray) -> np.ndarray:
    (h, w), visible = psf.shape, np.argwhere(psf > psf.max() / 255)
    radius = int(np.abs(visible - (h // 2, w // 2)).max(initial=1)) + 1
    padded = np.pad(psf, radius)
    return padded[h // 2 : h // 2 + 2 * radius + 1, w // 2 : w // 2 + 2 * radius + 1]


def _psf_note(psf: np.ndarray) -> str:
    side = len(_support(psf.reshape(psf.shape[-2:])))
    return f"{side} × {side} px"


def _webp(image: np.ndarray) -> str:
    from PIL import Image

    pixels = np.round(image * 255).astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
