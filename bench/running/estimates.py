"""The estimates stored for the report: small files while a run lasts, one npz per shot for the readers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.files import replacing
from bench.grid.cells import Cell
from bench.imaging.measure import Measurement
from bench.results.folder import ResultsFolder
from bench.results.identity import MeasurementId

#: Samples of a stochastic solver stored to be looked at.
SHOWN = 4


def keep_picture(folder: Path, cell: Cell, m: Measurement, x: np.ndarray) -> None:
    """Write what a solver returned, and once per shot measurement, noise level and what is known of truth and PSF.

    Args:
        x: (K, C, H, W). A single estimate becomes ``solver:LABEL``. Of several samples the first does, and besides
            the first few ``samples:LABEL``, their mean ``mean:LABEL`` and their standard deviation ``std:LABEL``.
    """
    arrays = {"solver": x[0]}
    if len(x) > 1:
        arrays |= {"samples": x[:SHOWN], "mean": x.mean(0), "std": x.std(0, ddof=1)}
    _save(folder / f"{cell.key}.npz", arrays)
    scene = folder / f"{cell.shot.key}.npz"
    if not scene.exists():
        known = {} if m.truth is None else {"truth": m.truth}
        known |= {"psf": m.psf} if m.psf_known else {}
        _save(scene, {**known, "y": m.y, "level": np.array(m.level)})


def gather(folder: ResultsFolder, cells: Iterable[Cell]) -> None:
    """Join the stored estimates into one archive per measurement, and list these in the index, for the report."""
    parts = folder.estimates
    by_measurement: dict[MeasurementId, list[Cell]] = {}
    for cell in cells:
        if cell.keep and _is_sound(parts / f"{cell.key}.npz") and _is_sound(parts / f"{cell.shot.key}.npz"):
            by_measurement.setdefault(MeasurementId.of(cell.identity), []).append(cell)
    names = {}
    for number, (measurement, group) in enumerate(by_measurement.items()):
        arrays = dict(np.load(parts / f"{group[0].shot.key}.npz", allow_pickle=False))
        for cell in group:
            estimate = np.load(parts / f"{cell.key}.npz", allow_pickle=False)
            arrays |= {f"{kind}:{cell.label}": estimate[kind] for kind in estimate.files}
        names[measurement] = f"{number:04d}.npz"
        _save(folder.images / names[measurement], arrays)
    folder.write_index(names.items())


def _is_sound(path: Path) -> bool:
    """Whether a stored file is there and its checksums hold: a picture that was damaged is left out of the report."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # zipfile and its decompressors have many ways to say that a file is broken
        return False


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # Not numpy.savez: it takes its arrays as keyword arguments, and a solver may be labelled "file".
    import zipfile

    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as f:
                kind = np.float32 if name == "level" else np.float16  # a gain may be below float16's smallest
                np.lib.format.write_array(f, array.astype(kind), allow_pickle=False)
