"""How long ``bench report`` takes, and how soon its page is ready. Wall seconds, imports included."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tables import Row

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import fake_run  # pyright: ignore[reportMissingImports]  it lies in tests/
from browser import CHROMIUM, Browser  # pyright: ignore[reportMissingImports]  likewise

from bench.results import parquet
from bench.results.identity import MeasurementId

SOLVERS, SETTINGS = 20, 20
KINDS = {"full": "figures, pictures", "plain": "pictures", "single": "one file"}
BUILD = (
    "import sys; from pathlib import Path; from bench.report.page import build; "
    "build([Path(sys.argv[1])], Path(sys.argv[2]), single_file=sys.argv[3] == 'single', "
    "figures=sys.argv[3] != 'plain'); assert 'torch' not in sys.modules"
)


def rows(cells: Sequence[int] = (2000, 10000), kinds: Sequence[str] = tuple(KINDS), size: int = 128) -> Iterator[Row]:
    """Reports of every number of cells and kind, pictures of ``size`` pixels; ready is None without a browser."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for n in cells:
            run = written(place / str(n), n, size)
            for kind in kinds:
                out, started = place / f"{n}-{kind}", time.perf_counter()
                subprocess.run([sys.executable, "-c", BUILD, run, out, kind], check=True, stdout=subprocess.DEVNULL)
                built = time.perf_counter() - started
                page, files = out / "index.html", [f for f in out.rglob("*") if f.is_file()]
                yield {
                    "cells": n, "what is built": KINDS[kind], "build, wall s": built,
                    "page (MB)": page.stat().st_size / 1e6,
                    "all files (MB)": sum(f.stat().st_size for f in files) / 1e6,
                    "ready (ms)": _ready(page, place / f"profile-{n}-{kind}"),
                }  # fmt: skip


def written(folder: Path, cells: int, size: int) -> Path:
    """A synthetic run with tuning rows, and pictures of the first four images of every setting."""
    fake_run.write_large(folder, SOLVERS, SETTINGS, cells // (SOLVERS * SETTINGS))
    rows, tuning = parquet.read(folder / "results.parquet"), []
    for r in (r for r in rows if r["image"] == "image_00"):
        for lam in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
            val = {"phase": "val", "split": "val", "candidate": json.dumps({"lam": lam})}
            key = fake_run.sha(r["cell_key"], lam)
            tuning.append({**r, **val, "cell_key": key, "m_psnr": 25 - np.log10(lam) ** 2})
    parquet.write(folder / "results.parquet", rows + tuning, fake_run.METRICS)
    measurements = [m for m in dict.fromkeys(map(MeasurementId.of, rows)) if int(m.image[-2:]) < 4]
    _pictures(folder / "images", measurements, size)
    return folder


def _pictures(folder: Path, measurements: Sequence[MeasurementId], size: int) -> None:
    folder.mkdir()
    rng, psf, index = np.random.default_rng(0), fake_run.motion_psf(7, 1), []
    for number, measurement in enumerate(measurements):
        truth = fake_run.scene(number % 5, size)
        arrays = {"truth": truth, "y": fake_run.blur(truth, psf) + rng.normal(0, 0.02, truth.shape), "psf": psf}
        arrays |= {f"solver:solver_{s}": truth + rng.normal(0, 0.01 + 0.002 * s, truth.shape) for s in range(SOLVERS)}
        stored = {name: a.astype(np.float16) for name, a in arrays.items()}
        np.savez_compressed(folder / f"{number:04d}.npz", **stored)  # pyright: ignore[reportArgumentType]
        index.append({**measurement._asdict(), "file": f"{number:04d}.npz"})
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _ready(page: Path, profile: Path) -> int | None:
    if CHROMIUM is None:
        return None
    with Browser(profile) as browser:
        return browser.open(page.as_uri())
