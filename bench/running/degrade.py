"""The measurements of a grid, written as files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from bench.errors import ResultError
from bench.files import cell_text, write_text
from bench.grid.cells import Shot
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.schema import Grid
from bench.imaging import picture_files as pictures
from bench.running.exposure import expose
from bench.seeds import canonical

#: format -> (suffix, writer of a picture (C, H, W))
FORMATS: dict[str, tuple[str, Callable[[Path, np.ndarray], None]]] = {
    "png8": (".png", pictures.write_8_bit),
    "png16": (".png", pictures.write_16_bit),
    "npy": (".npy", pictures.write_npy),
}


def write_dataset(grid: Grid, out: Path, split: Literal["test", "val"], form: str, limit: int | None) -> int:
    """Write blurred/, sharp/, psf/ and manifest.csv; returns the number of measurements.

    The folder is there when all of it is: what an interruption leaves is removed. Raises ResultError if it holds
    anything already: nothing is overwritten.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ResultError(f"{out} is not empty: nothing is overwritten")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent, ignore_cleanup_errors=True) as name:
            written = Path(name) / "dataset"
            count = _write_all(grid, written, split, form, limit)
            if out.exists():
                out.rmdir()
            written.rename(out)
    except OSError as error:
        raise ResultError(f"{out} cannot be written: {error.strerror or error}") from error
    return count


def _write_all(grid: Grid, out: Path, split: Literal["test", "val"], form: str, limit: int | None) -> int:
    for folder in ("blurred", "sharp", "psf"):
        (out / folder).mkdir(parents=True)
    planner = Planner(grid, ImageIndex(), limit=limit)
    shots = [shot for setting in planner.settings for shot, _ in planner.shots(setting, split)]
    distinct = list({s.key: s for s in shots}.values())  # mismatch changes what a solver assumes, not the measurement
    rows = [_write(out, f"{i:06d}", shot, form) for i, shot in enumerate(distinct)]
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: cell_text(value) for name, value in row.items()} for row in rows)
    write_text(out / "grid.yaml", grid.text)
    return len(rows)


def _write(out: Path, number: str, shot: Shot, form: str) -> dict[str, Any]:
    m, exposed = expose(shot)
    suffix, write = FORMATS[form]
    blurred, sharp, psf = (
        Path(f) / f"{number}{s}" for f, s in (("blurred", suffix), ("sharp", suffix), ("psf", ".npy"))
    )
    write(out / blurred, m.y)
    write(out / sharp, m.sharp)
    np.save(out / psf, m.psf, allow_pickle=False)
    d = shot.degradation
    return {
        "blurred": blurred.as_posix(),
        "sharp": sharp.as_posix(),
        "psf": psf.as_posix(),
        "dataset": shot.dataset_id,
        "image": shot.image,
        "split": shot.split,
        "setting": d.setting,
        "blur": d.blur.name,
        "blur_settings": canonical(d.blur.settings),
        "psf_index": shot.psf_index,
        "psf_note": exposed.note,
        "T": m.T,
        "noise": d.noise.name,
        "noise_settings": canonical(d.noise.settings),
        "gain": repr(float(m.level.gain)),
        "sigma": repr(float(m.level.sigma)),
        "boundary": shot.boundary,
        "rep": shot.rep,
        "seed": shot.seed,
        "y_sha": m.sha,
    }
