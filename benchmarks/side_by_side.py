"""Classical solvers beside their counterparts in other libraries: CPU seconds to the counterpart's PSNR.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side.py [--sizes 128 512 2048] [--batches 1 16] [--limit 60]

scikit-image's camera, averaged down to 128 x 128, as it is, and enlarged to 2048 x 2048; periodic data; one
Boracchi-Foi kernel of about 9 x 25 pixels; noise sigma = 2/255; one thread. Each method runs at the weight that is
best for it at 128 x 128, of equally many about its default (factors of 1/16 to 16; iterations for Richardson-Lucy);
closed forms at the best of each size, searched more finely. Ours is stopped after the fewest iterations, of a list,
that reach the counterpart's PSNR (off the border, clipped); where it never does, its row shows the PSNR it came to.
A batch is images with noise of their own; it is solved at once and image by image, and the faster way counts, for
ours and for deepinv, whose models take batches; the other libraries know single images alone. ``pairs`` is our time
over that of as many rfft2 + irfft2 of the batch as we made iterations, set-up included; a second table has the cost
of an iteration without it. A counterpart that would take longer than the limit, judged by the last size, is not
run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from clock import smallest
from scene import Case, around, at, best, made, problem, quality
from tables import show
from torch import Tensor

from bench.methods.libraries.deepinv_presets import PRESETS, circular_physics, scene_physics
from bench.methods.libraries.planes import alone, scene_start
from bench.methods.problem import Problem

#: dB below the counterpart that still count as its PSNR
EQUAL = 0.005
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200)
COLUMNS = {
    "ours": "ours", "counterpart": "counterpart", "size": "px", "batch": "batch", "their_db": "its dB",
    "their_s": "its CPU s", "our_db": "our dB", "iterations": "our iterations", "our_s": "our CPU s",
    "ratio": "times faster", "pairs": "FFT pairs an iteration, set-up included", "note": "",
}  # fmt: skip
ITERATION_COLUMNS = {
    "solver": "solver", "size": "px", "pair_ms": "one FFT pair, CPU ms", "iteration_ms": "one iteration, CPU ms",
    "ratio": "FFT pairs",
}  # fmt: skip


class Method(NamedTuple):
    """A solver, the setting that is searched for it, and how many values are tried.

    Attributes:
        values: of ``field``.
        steps: the field that holds its number of iterations; None for closed forms.
    """

    name: str
    solver: Any
    field: str
    values: Sequence[float]
    steps: str | None = None


class Row(NamedTuple):
    """One of ours beside one counterpart; seconds are CPU seconds of the batch. None: not run."""

    ours: str
    counterpart: str
    size: int
    batch: int
    their_db: float | None = None
    their_s: float | None = None
    our_db: float | None = None
    iterations: int | None = None
    our_s: float | None = None
    ratio: float | None = None
    pairs: float | None = None
    note: str = ""


def equal(row: Mapping[str, Any]) -> bool:
    """Whether a row was run and ours came to the counterpart's PSNR, so that its seconds may be compared."""
    return row["ratio"] is not None and row["our_db"] >= row["their_db"] - EQUAL


class Iteration(NamedTuple):
    """One iteration of one of our solvers, from runs of different length."""

    solver: str
    size: int
    pair_ms: float
    iteration_ms: float
    ratio: float


class Reached(NamedTuple):
    """Our solver after the fewest iterations that reach a PSNR, or at its best."""

    solver: Any
    iterations: int
    psnr: float


def methods(tried: int = 9) -> list[tuple[Method, list[Method]]]:
    """Ours, and what does the same elsewhere."""

    def tuned(name: str, field: str, label: str, steps: str | None = None, **settings: Any) -> Method:
        solver = made("solver", name, **settings)
        return Method(label, solver, field, around(solver, field, tried), steps)

    def counted(name: str, field: str, label: str, steps: str | None = None) -> Method:
        return Method(label, made("solver", name), field, [5, 10, 20, 30, 50, 80][:tried], steps)

    def deepinv(preset: str) -> Method:
        return tuned("deepinv_model", "weight", f"deepinv {preset}", model=preset)

    return [
        (
            tuned("wiener", "balance", "wiener", prior="laplacian"),
            [deepinv("wiener"), tuned("skimage_wiener", "balance", "scikit-image wiener")],
        ),
        (
            counted("richardson_lucy", "steps", "richardson_lucy", "steps"),
            [counted("skimage_richardson_lucy", "num_iter", "scikit-image richardson_lucy")],
        ),
        (
            tuned("haar_fista", "lam", "haar_fista", "steps"),
            [deepinv("fista_haar"), tuned("pylops_fista_haar", "eps", "pylops fista")],
        ),
        (
            tuned("tv", "lam", "tv", "steps"),
            [
                deepinv("pdcp_tv"),
                deepinv("admm_tv"),
                tuned("pylops_tv", "eps", "pylops splitbregman"),
                tuned("pyproximal_tv", "lam", "pyproximal PrimalDual"),
            ],
        ),
    ]


def at_once(solver: Any, given: Problem) -> Tensor:
    """The batch in one call; deepinv's models too, which the row's solver gives single images."""
    preset = PRESETS.get(getattr(solver, "model", ""))
    if preset is None or len(given.y) == 1:
        return solver.solve(given)
    model = preset.build(solver.weight * preset.lam(alone(given, 0)), scene_start(given), {})
    with torch.no_grad():
        if not preset.circular:
            return model(given.y, scene_physics(given))
        return model(given.y, circular_physics(given, given.y))


def seconds(solver: Any, given: Problem, repeat: int) -> float:
    """CPU seconds of the batch, at once or image by image: the faster way that works."""
    B = len(given.y)
    single = [alone(given, i) for i in range(B)]
    ways = [smallest(lambda: [solver.solve(one) for one in single], repeat)]
    if B > 1:
        # A library's code may take no batch with a kernel for each image.
        with suppress(RuntimeError, ValueError):
            ways.append(smallest(lambda: at_once(solver, given), repeat))
    return min(ways)


def fft_pair(given: Problem, repeat: int) -> float:
    """CPU seconds of one rfft2 and irfft2 of the batch, image by image: the floor of an iteration."""

    def pair() -> None:
        for y in given.y:
            torch.fft.irfft2(torch.fft.rfft2(y), s=y.shape[-2:])

    pair()
    return smallest(pair, max(repeat, 5))


def reaching(ours: Method, target: float, case: Case, first: int, limit: float) -> Reached:
    """Our solver after the fewest iterations, of those in STEPS from ``first`` on, whose PSNR is the target's.

    Ends too when the PSNR has fallen twice, or after ``limit`` CPU seconds; then the best of those tried.
    """
    if ours.steps is None:
        return Reached(ours.solver, 1, quality(ours.solver, case))
    tried: list[Reached] = []
    start = time.process_time()
    for n in STEPS[first:]:
        solver = at(ours.solver, ours.steps, n)
        tried.append(Reached(solver, n, quality(solver, case)))
        falling = len(tried) > 2 and tried[-1].psnr < tried[-2].psnr < tried[-3].psnr
        if tried[-1].psnr >= target or falling or time.process_time() - start > limit:
            break
    return max(tried, key=lambda t: t.psnr)


def finely(method: Method, case: Case) -> Method:
    """At its best weight: of its values, then of those about the best, twice."""
    found = best(method.solver, method.field, method.values, case)
    for reach in (2.0, 1.2):
        values = around(found.solver, method.field, 9, 1 / reach, reach)
        found = best(found.solver, method.field, values, case)
    return method._replace(solver=found.solver)


class Comparison:
    """One of ours beside one counterpart, at their best weights, over sizes and batches."""

    def __init__(self, ours: Method, other: Method, options: argparse.Namespace):
        self.ours, self.other, self.options = ours, other, options
        self._per_pixel = 0.0
        self._found: dict[int, tuple[float, float, Reached]] = {}

    def attempt(self, size: int, batch: int, case: Case, end: float) -> Row:
        """A row in any case: an error of a library is its note."""
        try:
            return self.row(size, batch, case, end)
        except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as error:
            note = f"failed: {type(error).__name__}: {str(error)[:80]}"
            return Row(self.ours.name, self.other.name, size, batch, note=note)

    def row(self, size: int, batch: int, case: Case, end: float) -> Row:
        """Measure; the first image of every batch is the same, so that PSNR and iterations are those of one image."""
        limit = min(self.options.limit, end - time.monotonic())
        row = Row(self.ours.name, self.other.name, size, batch)
        expected = self._per_pixel * batch * size**2
        if limit <= 0:
            return row._replace(note="not run: the time of this section was used up")
        if expected > limit:
            return row._replace(note=f"not run: the counterpart would take about {expected:.0f} s")
        repeat = self.options.repeat if batch * size**2 < 2**19 else 1
        their_db, theirs, reached = self._reached(size, case)
        if batch > 1 or repeat > 1:
            theirs = seconds(self.other.solver, case.given, repeat)
        self._per_pixel = theirs / (batch * size**2)
        ours = seconds(reached.solver, case.given, repeat)
        floor = fft_pair(case.given, repeat) * reached.iterations
        note = "" if reached.psnr >= their_db - EQUAL else f"ours stays {their_db - reached.psnr:.2f} dB below"
        return Row(
            self.ours.name, self.other.name, size, batch, their_db, theirs, reached.psnr, reached.iterations, ours,
            theirs / ours, floor and ours / floor if self.ours.steps else None, note,
        )  # fmt: skip

    def _reached(self, size: int, case: Case) -> tuple[float, float, Reached]:
        """PSNR and CPU seconds of the counterpart on one image, and what ours needs."""
        if size not in self._found:
            alone_case = Case(alone(case.given, 0), case.truth)
            if self.ours.steps is None:
                # Closed forms are cheap: both get their best weight at this size, searched more finely.
                self.ours, self.other = (finely(m, alone_case) for m in (self.ours, self.other))
            start = time.process_time()
            their_db = quality(self.other.solver, alone_case)
            theirs = time.process_time() - start
            # Large pictures: from two entries below what the last size needed, for each try is dear.
            known = [STEPS.index(r.iterations) for _, _, r in self._found.values()] if size > 512 else []
            first = max(0, known[-1] - 2) if known else 0
            self._found[size] = (
                their_db,
                theirs,
                reaching(self.ours, their_db, alone_case, first, self.options.limit),
            )
        return self._found[size]


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every comparison, small pictures and single ones first."""
    end = time.monotonic() + options.budget
    small = problem(128)
    compared = []
    for ours, others in methods(options.tried):
        mine = ours._replace(solver=best(ours.solver, ours.field, ours.values, small).solver)
        for other in others:
            theirs = other._replace(solver=best(other.solver, other.field, other.values, small).solver)
            compared.append(Comparison(mine, theirs, options))
    for batch in options.batches:
        for size in options.sizes:
            case = problem(size, batch)
            yield from (c.attempt(size, batch, case, end) for c in compared)


def iterations(options: argparse.Namespace) -> Iterator[Iteration]:
    """An iteration of ours, set-up taken out: n and 4 n iterations, their difference over 3 n."""
    for size in options.sizes:
        case, n = problem(size), 10 if size < 1000 else 3
        pair = fft_pair(case.given, 5)
        for ours, _ in methods(1):
            if ours.steps is None:
                continue
            few, many = (at(ours.solver, ours.steps, k) for k in (n, 4 * n))
            quality(few, case)
            repeat = options.repeat if size < 1000 else 1
            spent = [smallest(lambda s=s, p=case.given: s.solve(p), repeat) for s in (few, many)]
            one = (spent[1] - spent[0]) / (3 * n)
            yield Iteration(ours.name, size, 1e3 * pair, 1e3 * one, one / pair)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--limit", type=float, default=60, help="CPU seconds that a counterpart may take")
    parser.add_argument("--budget", type=float, default=3600, help="seconds after which nothing more is begun")
    parser.add_argument("--repeat", type=int, default=3, help="timed repeats of small cases; the smallest counts")
    parser.add_argument("--tried", type=int, default=9, help="values tried for the weight of each method")
    return parser


def main() -> None:
    """Print the tables."""
    options = arguments().parse_args()
    torch.set_num_threads(1)
    show(COLUMNS, rows(options))
    show(ITERATION_COLUMNS, iterations(options))


if __name__ == "__main__":
    main()
