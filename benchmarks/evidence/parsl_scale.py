"""What a cell costs through Parsl when its solver does nothing: processor time and memory of all processes.

    python benchmarks/evidence/parsl_scale.py --cells 5000 --executor parsl:local_two_blocks

``--executor local`` measures the same cells with local workers. Time is that of the processor, summed over the run
and all processes that it starts and that live for a second; memory is the largest resident set of the run's own
process, and the largest sum over all of them, in which shared pages count several times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from processes import marked

IMAGES = '''
from dataclasses import dataclass
import numpy as np
from bench import Dataset, Image

@dataclass(frozen=True)
class Tiny(Dataset):
    """Constant images of 16 x 16 pixels."""

    count: int = 1

    def ids(self) -> list[str]:
        return [f"tiny{i}" for i in range(self.count)]

    def load(self, id: str) -> Image:
        return Image(id, np.full((1, 16, 16), int(id[4:]) / self.count), 0)
'''
GRID = """
name: scale
data: {{test: {{./tiny.py: {{count: {images}}}}}}}
blur: [{{disk: {{radius: [1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8]}}}}]
noise: [{{poisson_gaussian: {{lam: 1000, sigma: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}}}]
solvers: [blurred]
metrics: [psnr]
protocol: {{border: 0, boundary: circular}}
run: {{images: 0}}
"""
#: degradations of an image
PER_IMAGE = 100
_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass
class Usage:
    """Of a process and all that carry its mark."""

    seconds: dict[int, float] = field(default_factory=dict)
    own: float = 0.0
    whole: float = 0.0

    def look(self, mark: bytes, driver: int) -> None:
        """Read what they have used so far; MB for memory."""
        resident: dict[int, float] = {}
        for pid in marked(mark):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
                self.seconds[pid] = (int(words[11]) + int(words[12])) / _TICK
                resident[pid] = int(words[21]) * _PAGE / 1e6
        self.own = max(self.own, resident.get(driver, 0.0))
        self.whole = max(self.whole, sum(resident.values()))


def measured(cells: int, executor: str, workers: int) -> dict[str, float]:
    """A run of so many cells."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "tiny.py").write_text(IMAGES)
        (base / "grid.yaml").write_text(GRID.format(images=cells // PER_IMAGE))
        where = ["--workers", str(workers)] if executor == "local" else ["--executor", executor]
        command = [sys.executable, "-m", "bench", "run", str(base / "grid.yaml"), "--out", str(base / "out"), *where]
        environment = {**os.environ, "BENCH_SCALE": folder}
        begin, usage = time.monotonic(), Usage()
        run = subprocess.Popen([*command, "--json"], env=environment, stdout=subprocess.DEVNULL)
        while run.poll() is None:
            usage.look(f"BENCH_SCALE={folder}\0".encode(), run.pid)
            time.sleep(1)
        lines = (base / "out" / "journal.jsonl").read_bytes().count(b"\n")
        if run.returncode or lines != cells:
            raise SystemExit(f"exit code {run.returncode}, {lines} of {cells} cells")
        total = sum(usage.seconds.values())
        return {
            "cells": cells,
            "wall_s": round(time.monotonic() - begin, 1),
            "cpu_s": round(total, 1),
            "cpu_s_of_the_run_itself": round(usage.seconds.get(run.pid, 0.0), 1),
            "processes": len(usage.seconds),
            "peak_mb_of_the_run_itself": round(usage.own),
            "peak_mb_of_all": round(usage.whole),
        }


def main() -> None:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=5000, help=f"a multiple of {PER_IMAGE}")
    parser.add_argument("--executor", default="parsl:local_two_blocks")
    parser.add_argument("--workers", type=int, default=4, help="with --executor local")
    options = parser.parse_args()
    print(json.dumps({"executor": options.executor, **measured(options.cells, options.executor, options.workers)}))


if __name__ == "__main__":
    main()
