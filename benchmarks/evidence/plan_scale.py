"""How planning and resuming grow: seconds and memory per 100,000 cells, without solving any.

    python benchmarks/evidence/plan_scale.py --cells 100000

A grid of tiny images under many blurs, noises and solvers is planned, which hashes every cell; a journal in which all
of them succeeded is written; a new process reads it and finds nothing left to do. Each stage is a process of its own,
so that its peak of resident memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.grid.cells import Cell
from bench.grid.read import read_grid
from bench.results import parquet as results
from bench.results.journal import Journal
from bench.running.forecast import forecast
from bench.running.rows import place_of
from bench.running.runner import Options, Runner

IMAGES = '''
from dataclasses import dataclass
import numpy as np
from bench import Dataset, Image

@dataclass(frozen=True)
class Tiny(Dataset):
    """Constant images of 8 x 8 pixels."""

    count: int = 1

    def ids(self) -> list[str]:
        return [f"tiny{i}" for i in range(self.count)]

    def load(self, id: str) -> Image:
        return Image(id, np.full((1, 8, 8), int(id[4:]) / self.count), 0)
'''

GRID = """
name: scale
data: {{test: {{./tiny.py: {{count: {images}}}}}}}
blur: [{{disk: {{radius: [1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8]}}}}]
noise: [{{poisson_gaussian: {{lam: 1000, sigma: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}}}]
solvers: [{{wiener: {{balance: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}}}]
"""

#: degradations times solvers of the grid
PER_IMAGE = 1000

#: what an outcome has besides what the plan knows: as large as a real one
OUTCOME: dict[str, Any] = {
    "status": "ok", "batch": 1, "device": "cpu", "env_id": "0123456789ab", "started_at": "2026-01-01T12:00:00+00:00",
    "environment": None, "height": 8, "width": 8, "channels": 1, "T": 1.0, "psf_sha": "0" * 64, "psf_note": "",
    "y_sha": "1" * 64, "n_A": 1, "n_At": 1, "nfe_forward": 0, "nfe_backward": 0, "seconds": 0.012345678901,
    "peak_rss_mb": 312.4567, "m_psnr": 27.12345678901234, "m_ssim": 0.8123456789012, "in_psnr": 22.12345678901234,
    "in_ssim": 0.6123456789012, "attempt": 1,
}  # fmt: skip


class _Nobody:
    def preliminary(self, rows: object, total: int) -> None:
        pass

    def stage(self, name: str, total: int, done: int) -> None:
        pass

    def cell(self, cell: Cell, outcome: dict[str, Any]) -> None:
        pass


def runner(folder: Path) -> Runner:
    """What ``bench run`` makes before it computes."""
    return Runner(read_grid(folder / "grid.yaml"), Options(folder / "out"), _Nobody())


def plan(folder: Path) -> int:
    """Build and hash every cell and count what is missing; the cells themselves stay in memory, as in a run."""
    made = runner(folder)
    cells = made.second_stage({})
    return len(made.missing(cells))


def journal(folder: Path) -> int:
    """Write an outcome of every cell."""
    cells = runner(folder).second_stage({})
    with Journal(folder / "out" / "journal.jsonl") as log:
        for c in cells:
            log.append({**OUTCOME, "cell_key": c.key, "parts": c.parts, "place": place_of(c)})
    return len(cells)


def dry_run(folder: Path) -> int:
    """What ``bench run --dry-run`` says."""
    return sum(r["to_run"] for r in forecast(runner(folder)))


def finish(folder: Path) -> int:
    """The whole of ``bench run`` when nothing is left to solve: the table of results is made and written."""
    return len(runner(folder).run().rows)


def printed(folder: Path) -> int:
    """The same with the table of solvers that ``bench run`` prints at its end."""
    from bench.report.terminal import summary

    finished = runner(folder).run()
    summary(finished.test)
    return len(finished.rows)


def read(folder: Path) -> int:
    """Read the table as ``bench report`` and ``bench merge`` do, before they do anything with it."""
    return len(results.read(folder / "out" / "results.parquet"))


#: in this order: the first are about a plan, the last about its table
STAGES: dict[str, Callable[[Path], int]] = {
    "plan": plan,
    "journal": journal,
    "resume": plan,
    "dry run": dry_run,
    "finish": finish,
    "printed": printed,
    "read": read,
}


def stage(name: str, folder: Path) -> None:
    """Run one stage in this process and print what it took."""
    start = time.perf_counter()
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    count = STAGES[name](folder)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    took = {"seconds": time.perf_counter() - start, "cpu": usage.ru_utime + usage.ru_stime}
    print(json.dumps({**took, "mb": usage.ru_maxrss / 1024 - base, "cells": count}))


def measure(cells: int) -> None:
    """Run the stages and print a table."""
    images = max(1, round(cells / PER_IMAGE))
    total = images * PER_IMAGE
    per = 1e5 / total
    print(f"{total:,} cells")
    print(f"{'stage':<8} {'s':>8} {'MB':>8} {'s/100k':>8} {'MB/100k':>8}  cells missing, written or listed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny.py").write_text(IMAGES)
        (folder / "grid.yaml").write_text(GRID.format(images=images))
        for what in STAGES:
            command = [sys.executable, __file__, "--stage", what, "--folder", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            r = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{what:<8} {r['seconds']:8.1f} {r['mb']:8.0f} {r['seconds'] * per:8.2f} {r['mb'] * per:8.1f}  "
                f"{r['cells']:,}"
            )
        size = (folder / "out" / "journal.jsonl").stat().st_size / 1e6
        print(f"the journal has {size:.0f} MB, {size * per:.0f} per 100,000 cells")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.stage:
        stage(given.stage, given.folder)
    else:
        measure(given.cells)


if __name__ == "__main__":
    main()
