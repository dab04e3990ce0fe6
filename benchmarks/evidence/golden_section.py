"""The table of docs/tuning.md: what golden-section search loses at each budget, beside equally spaced values.

Usage: python benchmarks/evidence/golden_section.py
"""

from __future__ import annotations

import math

import numpy as np

from bench.grid.search import Range, steps

RANGE = Range(0.1, 10.0)
OPTIMA = np.geomspace(0.11, 9, 200)


def searched(budget: int, optimum: float) -> float:
    """|ln(lam / optimum)| of the best value that a search within the budget tries."""
    search = steps({"lam": RANGE}, budget, {})
    distances: list[float] = []
    asked = next(search)
    while True:
        new = [abs(math.log(c["lam"] / optimum)) for c in asked]
        distances += new
        try:
            asked = search.send([d**2 for d in new])
        except StopIteration:
            return min(distances)


def spaced(budget: int, optimum: float) -> float:
    """The same of equally spaced values."""
    return float(np.abs(np.log(np.geomspace(RANGE.low, RANGE.high, budget) / optimum)).min())


if __name__ == "__main__":
    for budget in (5, 6, 7, 8, 9, 10, 12):
        for name, how in (("search", searched), ("spaced", spaced)):
            d = np.array([how(budget, float(optimum)) for optimum in OPTIMA])
            print(f"{budget:3d}  {name}  mean {np.mean(d**2):.4f} dB  factor {math.exp(d.max()):.2f}")
