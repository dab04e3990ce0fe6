"""What the classical solvers reach, in dB: at their best weight on periodic data, and ``tv`` against paddings.

    OMP_NUM_THREADS=1 python benchmarks/tv_bars.py [--repeat 3] [--kernel 0]

The problem of scene.py at 128 x 128. On periodic data PSNR counts without 16 pixels on each side. The second table
has a measurement that is the sensor's part of a larger scene, PSNR over the whole picture: ``tv``, which knows that
nothing is known outside, against periodic TV on padded data. How fast they are beside other libraries is measured by
side_by_side.py.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from clock import smallest
from scene import Case, around, best, kernel, made, problem
from tables import show
from torch import Tensor

from bench.imaging.blur import Blur
from bench.methods.classical.padding import Padding, crop, pad, sides_for
from bench.methods.problem import Problem, Solver

PADDINGS: tuple[Padding, ...] = ("none", "zero", "mean", "edge", "reflect", "blend")
COLUMNS = {
    "data": "measurement", "method": "method", "weight": "best weight", "psnr_db": "PSNR (dB)", "bar_db": "bar (dB)",
    "seconds": "CPU s",
}  # fmt: skip


class Row(NamedTuple):
    """One method at its best weight; the bar that it has to reach, if there is one."""

    data: str
    method: str
    weight: float
    psnr_db: float
    seconds: float
    bar_db: float | None = None


@dataclasses.dataclass(frozen=True)
class Padded(Solver):
    """Periodic TV on padded data."""

    mode: Padding
    lam: float

    def solve(self, problem: Problem) -> Tensor:
        """Pad by 32 pixels or the next fast size, solve, crop."""
        inner = made("solver", "tv", steps=40, lam=self.lam)
        sides = sides_for((problem.y.shape[-2], problem.y.shape[-1]), (32, 32), self.mode)
        y = pad(problem.y, sides, self.mode)
        blur = Blur(problem.psf, (y.shape[-2], y.shape[-1]), "circular")
        return crop(inner.solve(problem.replace(y=y, blur=blur)), sides)


def circular(case: Case, repeat: int, tried: int) -> Iterator[Row]:
    """The solvers on periodic data."""
    methods: list[tuple[str, Any, str, float | None]] = [
        ("wiener, laplacian", made("solver", "wiener", prior="laplacian"), "balance", None),
        ("wiener", made("solver", "wiener"), "balance", 25.25),
        ("tikhonov", made("solver", "tikhonov"), "mu", None),
        ("haar_fista", made("solver", "haar_fista"), "lam", 25.2),
        ("tv_fista", made("solver", "tv_fista"), "lam", None),
        ("tv", made("solver", "tv"), "lam", 27.25),
    ]
    for name, solver, field, bar in methods:
        found = best(solver, field, around(solver, field, tried), case)
        spent = smallest(lambda f=found: f.solver.solve(case.given), repeat)
        yield Row("periodic", name, found.value, found.psnr, spent, bar)


def valid(case: Case, repeat: int, tried: int) -> Iterator[Row]:
    """``tv`` after the best padding, which sets its bar: 1 dB more."""
    tv = made("solver", "tv")
    values = around(tv, "lam", tried, 0.25, 64)
    rows = []
    for mode in PADDINGS:
        found = best(Padded(mode, tv.lam), "lam", values, case, 0)
        spent = smallest(lambda f=found: f.solver.solve(case.given), repeat)
        rows.append(Row("valid", f"periodic TV, padding {mode}", found.value, found.psnr, spent))
        yield rows[-1]
    found = best(tv, "lam", values, case, 0)
    spent = smallest(lambda: found.solver.solve(case.given), repeat)
    yield Row("valid", "tv, unknown boundary", found.value, found.psnr, spent, max(r.psnr_db for r in rows) + 1)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Both tables."""
    psf = kernel(options.kernel)
    yield from circular(problem(128, 1, "circular", psf), options.repeat, options.tried)
    yield from valid(problem(128, 1, "valid", psf), options.repeat, options.tried)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tried", type=int, default=17, help="weights tried")
    parser.add_argument("--kernel", type=int, default=0, help="which kernel of the recipe")
    return parser


def main() -> None:
    """Print the table."""
    options = arguments().parse_args()
    torch.set_num_threads(1)
    show(COLUMNS, rows(options))


if __name__ == "__main__":
    main()
