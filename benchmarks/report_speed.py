"""How long ``bench report`` takes, and how soon its page is ready.

Run: python benchmarks/report_speed.py [--cells 2000] [--kinds full]. Wall seconds, imports included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tables import show

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import fake_run  # pyright: ignore[reportMissingImports]  it lies in tests/
from browser import CHROMIUM, Browser  # pyright: ignore[reportMissingImports]  likewise

from bench.results import parquet as results
from bench.results.identity import MeasurementId

SOLVERS, SETTINGS = 20, 20
BUILD = (
    "import sys, time; t = time.perf_counter(); from pathlib import Path; from bench.report.page import build; "
    "build([Path(sys.argv[1])], Path(sys.argv[2]), single_file=sys.argv[3] == 'single', "
    "figures=sys.argv[3] != 'plain'); print(time.perf_counter() - t); assert 'torch' not in sys.modules"
)


COLUMNS = {
    "cells": "cells", "what": "what is built", "build_s": "build, wall s", "page_mb": "page (MB)",
    "all_mb": "all files (MB)", "ready_ms": "ready (ms)",
}  # fmt: skip
KINDS = {"full": "figures, pictures", "plain": "pictures", "single": "one file"}


class Row(NamedTuple):
    """A report: seconds to build it, its size, and milliseconds until its page is ready (None without a browser)."""

    cells: int
    what: str
    build_s: float
    page_mb: float
    all_mb: float
    ready_ms: int | None


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Reports of every size and kind."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for cells in options.cells:
            run = _run(place / str(cells), cells, options.size)
            for how in options.kinds:
                out = place / f"{cells}-{how}"
                took = _build(run, out, how)
                size = [f.stat().st_size / 1e6 for f in out.rglob("*") if f.is_file()]
                page = (out / "index.html").stat().st_size / 1e6
                ready = _ready(out / "index.html", place / f"profile-{cells}-{how}")
                yield Row(cells, KINDS[how], took, page, sum(size), ready)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[2000, 10000])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--size", type=int, default=128, help="pixels of a picture's side")
    return parser


def main() -> None:
    """Print the table."""
    show(COLUMNS, rows(arguments().parse_args()))


def _run(folder: Path, cells: int, size: int) -> Path:
    """A fake run with tuning rows, and pictures of the first four images of every setting."""
    images = cells // (SOLVERS * SETTINGS)
    fake_run.write_large(folder, SOLVERS, SETTINGS, images)
    rows = results.read(folder / "results.parquet")
    tuning = []
    for r in (r for r in rows if r["image"] == "image_00"):
        for lam in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
            val = {"phase": "val", "split": "val", "candidate": json.dumps({"lam": lam})}
            tuning.append(
                {**r, **val, "cell_key": fake_run.sha(r["cell_key"], lam), "m_psnr": 25 - np.log10(lam) ** 2}
            )
    results.write(folder / "results.parquet", rows + tuning, fake_run.METRICS)
    _pictures(folder / "images", rows, min(images, 4), size)
    return folder


def _pictures(folder: Path, rows: list[dict], images: int, size: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    psf, index = fake_run.motion_psf(7, 1), []
    for number, measurement in enumerate(dict.fromkeys(map(MeasurementId.of, rows))):
        if int(measurement.image[-2:]) >= images:
            continue
        truth = fake_run.scene(number % 5, size)
        y = fake_run.blur(truth, psf) + rng.normal(0, 0.02, truth.shape)
        arrays = {"truth": truth, "y": y, "psf": psf}
        arrays |= {f"solver:solver_{s}": truth + rng.normal(0, 0.01 + 0.002 * s, truth.shape) for s in range(SOLVERS)}
        stored = {name: a.astype(np.float16) for name, a in arrays.items()}
        np.savez_compressed(folder / f"{number:04d}.npz", **stored)  # pyright: ignore[reportArgumentType]
        index.append({**measurement._asdict(), "file": f"{number:04d}.npz"})
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _build(run: Path, out: Path, how: str) -> float:
    """Seconds in a process of its own, imports included."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", BUILD, run, out, how], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _ready(page: Path, profile: Path) -> int | None:
    if CHROMIUM is None:
        return None
    with Browser(profile) as browser:
        return browser.open(page.as_uri())


if __name__ == "__main__":
    main()
