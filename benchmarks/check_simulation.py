"""How often ``bench check`` cries wolf, and how often it sees a wolf: by simulation.

    python benchmarks/check_simulation.py [--rounds 300]

72 groups (6 solvers × 12 settings) of 24 images each. The scatter between two runs of unchanged code is that measured
between processors and versions of torch: in float64 1e-9 dB; in float32 1e-5 dB, and for long sampling chains 3 % of
the images jump by up to 0.5 dB. Re-seeded samplers scatter by 1.4 dB per image.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.check.rule import Pair, compare

GROUPS, SETTINGS, IMAGES = 72, 12, 24
Scatter = Callable[[np.random.Generator], np.ndarray]


class Case(NamedTuple):
    """A kind of comparison: row type, scatter of unchanged code, and the drop in dB planted in one group."""

    name: str
    row: dict[str, Any]
    scatter: Scatter
    drop: float


def gauss(scale: float) -> Scatter:
    """Normal differences of that standard deviation in dB."""
    return lambda rng: scale * rng.standard_normal(IMAGES)


def jumps(rng: np.random.Generator) -> np.ndarray:
    """Rounding, and 3 % of the images up to 0.5 dB off in either direction."""
    jumped = rng.random(IMAGES) < 0.03
    return 1e-5 * rng.standard_normal(IMAGES) + jumped * rng.uniform(-0.5, 0.5, IMAGES)


DOUBLE = {"dtype": "float64", "stochastic": True}
SINGLE = {"dtype": "float32", "stochastic": False}
SAMPLER = {"dtype": "float32", "stochastic": True}
CASES = (
    Case("float64, 0.1 dB in every image", DOUBLE, gauss(1e-9), 0.1),
    Case("float64, 0.003 dB in every image", DOUBLE, gauss(1e-9), 0.003),
    Case("float32, deterministic, other machine, 0.1 dB", SINGLE, gauss(1e-5), 0.1),
    Case("float32, sampler, other machine, 0.4 dB", SAMPLER, jumps, 0.4),
    Case("float32, sampler, re-seeded, 2 dB", SAMPLER, gauss(1.4), 2.0),
)


def row(solver: int, setting: int, image: int, psnr: float, kind: dict[str, Any]) -> dict[str, Any]:
    """A result as the rule reads it."""
    return {
        "solver": f"solver{solver}",
        "setting": f"s{setting}",
        "image": f"i{image}",
        "device": "cpu",
        "m_psnr": psnr,
        **kind,
    }


def one_round(case: Case, rng: np.random.Generator) -> tuple[bool, bool]:
    """(an alarm on unchanged code, the planted drop found) in a simulated check."""

    def pairs(drop: float) -> dict[tuple[str, str], list[Pair]]:
        found = {}
        for g in range(GROUPS):
            solver, setting = divmod(g, SETTINGS)
            loss = case.scatter(rng) + (drop if g == 0 else 0)
            found[f"solver{solver}", f"s{setting}"] = [
                (row(solver, setting, i, 30.0, case.row), row(solver, setting, i, 30.0 - v, case.row))
                for i, v in enumerate(loss)
            ]
        return found

    clean = compare(pairs(0.0), ["psnr"], same_machine=False)
    planted = compare(pairs(case.drop), ["psnr"], same_machine=False)
    return any(c.regressed for c in clean), any(c.regressed and c.solver == "solver0" for c in planted)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="False alarms and detections of bench check.")
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    print(f"{'case':48} {'false alarms':>12} {'found':>7}   ({rounds} checks of {GROUPS} groups × {IMAGES} images)")
    for case in CASES:
        rng = np.random.default_rng(1)
        outcomes = np.array([one_round(case, rng) for _ in range(rounds)])
        print(f"{case.name:48} {outcomes[:, 0].mean():12.1%} {outcomes[:, 1].mean():7.1%}", flush=True)


if __name__ == "__main__":
    main()
