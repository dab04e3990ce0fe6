"""The estimates that are kept for the report: small files while a run lasts, one npz per shot for the readers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.atomic import replacing, write_text
from bench.cells import Cell
from bench.measure import Measurement


def keep_picture(folder: Path, cell: Cell, m: Measurement, x: np.ndarray) -> None:
    """Write an estimate (C, H, W), and once per shot its truth, measurement and PSF, as float16 without pickle."""
    with replacing(folder / f"{cell.key}.npy") as file, file.open("wb") as f:
        np.save(f, x.astype(np.float16), allow_pickle=False)
    scene = folder / f"{cell.shot.key}.npz"
    if not scene.exists():
        _save(scene, {"truth": m.truth, "y": m.y, "psf": m.psf})


def gather(parts: Path, out: Path, cells: Iterable[Cell]) -> None:
    """Join the kept estimates into one npz per shot, and list them in ``index.json``, for the report."""
    by_shot: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.keep and (parts / f"{cell.key}.npy").is_file():
            by_shot.setdefault((cell.shot.degradation.setting, cell.shot.key), []).append(cell)
    index = []
    for number, ((setting, key), group) in enumerate(by_shot.items()):
        arrays = dict(np.load(parts / f"{key}.npz", allow_pickle=False))
        for cell in group:
            arrays[f"solver:{cell.label}"] = np.load(parts / f"{cell.key}.npy", allow_pickle=False)
        name = f"{number:04d}.npz"
        _save(out / name, arrays)
        shot = group[0].shot
        entry = {"setting": setting, "image": shot.image, "psf_index": shot.psf_index, "rep": shot.rep, "file": name}
        index.append(entry)
    write_text(out / "index.json", json.dumps(index, indent=1, ensure_ascii=False))


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # Not numpy.savez: it takes its arrays as keyword arguments, and a solver may be labelled "file".
    import zipfile

    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as f:
                np.lib.format.write_array(f, array.astype(np.float16), allow_pickle=False)
