"""What the classical solvers reach, in dB: at their best weight on periodic data, and ``tv`` against paddings.

The problem of scene.py at 128 x 128. On periodic data PSNR counts without 16 pixels on each side. Then a measurement
that is the sensor's part of a larger scene, PSNR over the whole picture: ``tv``, which knows that nothing is known
outside, against periodic TV on padded data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from clock import smallest
from scene import Case, Tuned, around, best, kernel, made, problem
from tables import Row
from torch import Tensor

from bench.imaging.blur import Blur
from bench.methods.classical.padding import Padding, crop, pad, sides_for
from bench.methods.problem import Problem, Solver

PADDINGS: tuple[Padding, ...] = ("none", "zero", "mean", "edge", "reflect", "blend")


def rows(repeat: int = 3, tried: int = 17, number: int = 0) -> Iterator[Row]:
    """Periodic data, then a larger scene's; ``tried`` weights, the kernel of that number."""
    psf = kernel(number)
    yield from circular(problem(128, 1, "circular", psf), repeat, tried)
    yield from valid(problem(128, 1, "valid", psf), repeat, tried)


@dataclass(frozen=True)
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


def row(data: str, method: str, tuned: Tuned, case: Case, repeat: int, bar: float | None = None) -> Row:
    """One method at its best weight; the bar that it has to reach, if there is one."""
    spent = smallest(partial(tuned.solver.solve, case.given), repeat)
    return {"measurement": data, "method": method, "best weight": tuned.value, "PSNR (dB)": tuned.psnr,
            "bar (dB)": bar, "CPU s": spent}  # fmt: skip


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
        yield row("periodic", name, best(solver, field, around(solver, field, tried), case), case, repeat, bar)


def valid(case: Case, repeat: int, tried: int) -> Iterator[Row]:
    """``tv`` after the best padding, which sets its bar: 1 dB more."""
    tv = made("solver", "tv")
    values = around(tv, "lam", tried, 0.25, 64)
    reached = []
    for mode in PADDINGS:
        tuned = best(Padded(mode, tv.lam), "lam", values, case, 0)
        reached.append(tuned.psnr)
        yield row("valid", f"periodic TV, padding {mode}", tuned, case, repeat)
    yield row("valid", "tv, unknown boundary", best(tv, "lam", values, case, 0), case, repeat, max(reached) + 1)
