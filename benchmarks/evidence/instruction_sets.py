"""What a processor's instructions do to results: a grid is run as here and as on processors that know fewer of them.

    python benchmarks/evidence/instruction_sets.py ci --limit 1

The libraries are told by environment variables what to do without. Rows that stand for the same are compared: the
hashes of measurement and PSF, and per solver the largest relative difference of each metric.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.grid.read import find_grid
from bench.results import parquet as results

#: processors, by the instructions that numpy, torch, MKL, oneDNN and OpenBLAS may use
PROCESSORS = {
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL",
    },
    "SSE": {
        "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL",
    },
}  # fmt: skip
PLACE = ("phase", "solver", "candidate", "dataset", "setting", "image", "psf_index", "rep")

Rows = dict[tuple[Any, ...], Mapping[str, Any]]


def solve(grid: Path, out: Path, environment: dict[str, str], more: list[str]) -> Rows:
    """Run the grid; its rows by their place."""
    command = [sys.executable, "-m", "bench", "run", str(grid), "--out", str(out), *more]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 4):  # 4: some cell failed
        sys.exit(f"bench run exits {done.returncode}")
    return {tuple(r[n] for n in PLACE): r for r in results.read(out / "results.parquet")}


def compare(here: Rows, there: Rows) -> None:
    """Print what differs, the largest first; only rows that succeeded on both are compared."""
    both = [(r, there[k]) for k, r in here.items() if k in there and r["status"] == there[k]["status"] == "ok"]
    hashes = {n: sum(a[n] != b[n] for a, b in both) for n in ("y_sha", "psf_sha", "tuned")}
    print(f"{len(both)} rows; differing " + ", ".join(f"{n}: {v}" for n, v in hashes.items()))
    worst: dict[tuple[str, str], tuple[float, float]] = {}
    for a, b in both:
        for name in (n for n in a if n.startswith(("m_", "in_"))):
            x, y = a[name], b[name]
            if x is None or y is None or x == y:
                continue
            place = (name, a["solver"] if name.startswith("m_") else "(the blurred input)")
            relative, absolute = worst.get(place, (0.0, 0.0))
            worst[place] = max(relative, abs(x - y) / max(abs(x), abs(y))), max(absolute, abs(x - y))
    for (name, solver), (relative, absolute) in sorted(worst.items(), key=lambda item: -item[1][0])[:20]:
        print(f"{name:18} {solver:30} relative {relative:.1e}  absolute {absolute:.1e}")


def main() -> None:
    """The command line; what it does not know goes to ``bench run``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid")
    given, more = parser.parse_known_args()
    grid = find_grid(given.grid).resolve()
    with tempfile.TemporaryDirectory() as name:
        here = solve(grid, Path(name, "here"), {}, more)
        for processor, environment in PROCESSORS.items():
            print(f"\n{processor}: ", end="", flush=True)
            compare(here, solve(grid, Path(name, processor), environment, more))


if __name__ == "__main__":
    main()
