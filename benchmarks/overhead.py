"""What the harness itself costs: 500 cells of a solver that does nothing, cold and again; start-up of the commands.

CPU seconds of all processes together, above those of `import torch` for the cold run.
Run: python benchmarks/overhead.py
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

NOOP = '''"""Nothing."""
from dataclasses import dataclass
from bench import Problem, Solver

@dataclass(frozen=True)
class Noop(Solver):
    """Returns y."""
    number: int = 0

    def solve(self, problem: Problem):
        return problem.y
'''
FLAT = '''"""Nothing to see."""
from dataclasses import dataclass
import numpy as np
from bench import Dataset, Image

@dataclass(frozen=True)
class Flat(Dataset):
    """Fifty flat pictures."""

    def ids(self):
        return [str(i) for i in range(50)]

    def load(self, id: str):
        return Image(id, np.full((1, 40, 40), int(id) / 50), 4)
'''
GRID = """
name: noop
data: {test: {./flat.py: {}}}
blur: [disk: {radius: 1.5}]
noise: [poisson_gaussian: {lam: 48000, sigma: 4}]
solvers: [./noop.py: {number: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}]
metrics: [psnr]
run: {images: 0}
"""
#: name -> bar in CPU s (None: for information)
BARS = {
    "import torch": None,
    "bench --help": 0.35,
    "bench list": 0.35,
    "500 no-op cells, cold, over import torch": 3.0,
    "500 no-op cells, again": 1.5,
}


def cpu(*command: str, cwd: Path | None = None) -> float:
    """CPU seconds of a command and of every process it leaves behind, until the last of them has ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            os.wait()  # adopted: the fork server outlives its parent for a moment
    except ChildProcessError:
        pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print a table."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)
    python, bench = sys.executable, str(Path(sys.executable).with_name("bench"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "noop.py").write_text(NOOP)
        (folder / "flat.py").write_text(FLAT)
        (folder / "g.yaml").write_text(GRID)
        torch = min(cpu(python, "-c", "import torch") for _ in range(3))
        measured = {
            "import torch": torch,
            "bench --help": min(cpu(bench, "--help") for _ in range(3)),
            "bench list": min(cpu(bench, "list") for _ in range(3)),
            "500 no-op cells, cold, over import torch": cpu(bench, "run", "g.yaml", cwd=folder) - torch,
            "500 no-op cells, again": min(cpu(bench, "run", "g.yaml", cwd=folder) for _ in range(3)),
        }
    print("| what | CPU s | bar |\n|---|---|---|")
    for what, seconds in measured.items():
        bar = BARS[what]
        verdict = "" if bar is None else f"{bar} {'reached' if seconds <= bar else 'MISSED'}"
        print(f"| {what} | {seconds:.2f} | {verdict} |")


if __name__ == "__main__":
    main()
