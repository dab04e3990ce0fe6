"""Classical solvers beside their counterparts in other libraries: CPU seconds to the counterpart's PSNR.

scikit-image's camera, averaged down to 128 x 128, as it is, and enlarged to 2048 x 2048; periodic data; one
Boracchi-Foi kernel of about 9 x 25 pixels; noise sigma = 2/255; one thread. Each method runs at the weight that is
best for it at 128 x 128, of equally many about its default (factors of 1/16 to 16; iterations for Richardson-Lucy);
closed forms at the best of each size, searched more finely. Ours is stopped after the fewest iterations, of a list,
that reach the counterpart's PSNR (off the border, clipped); where it never does, its row shows the PSNR it came to.
A batch is images with noise of their own; it is solved at once and image by image, and the faster way counts, for
ours and for deepinv, whose models take batches; the other libraries know single images alone. "FFT pairs" is our time
over that of as many rfft2 + irfft2 of the batch as we made iterations, set-up included; a table of its own has the
cost of an iteration without it. A counterpart that would take longer than the limit, judged by the last size, is not
run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import torch
from clock import smallest
from scene import Case, around, at, best, made, problem, quality
from tables import Row
from torch import Tensor

from bench.methods.libraries.deepinv_presets import PRESETS, circular_physics, scene_physics
from bench.methods.libraries.planes import alone, scene_start
from bench.methods.problem import Problem

#: dB below the counterpart that still count as its PSNR
EQUAL = 0.005
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200)


class Method(NamedTuple):
    """A solver, the setting that is searched for it, and the values that are tried.

    Attributes:
        steps: the field that holds its number of iterations; None for closed forms.
    """

    name: str
    solver: Any
    field: str
    values: Sequence[float]
    steps: str | None = None

    def best(self, case: Case) -> Method:
        """At its best value."""
        return self._replace(solver=best(self.solver, self.field, self.values, case).solver)


class Reached(NamedTuple):
    """Our solver after the fewest iterations that reach a PSNR, or at its best."""

    solver: Any
    iterations: int
    psnr: float


def equal(row: Row) -> bool:
    """Whether a row was run and ours came to the counterpart's PSNR, so that its seconds may be compared."""
    return row.get("times faster") is not None and row["our dB"] >= row["its dB"] - EQUAL


def comparisons(
    sizes: Sequence[int] = (128, 512, 2048),
    batches: Sequence[int] = (1, 16),
    limit: float = 45,
    budget: float = 690,
    repeat: int = 3,
    tried: int = 9,
) -> Iterator[Row]:
    """Ours beside each counterpart, small pictures and single ones first.

    Args:
        sizes, batches: pixels of a side; images of a batch.
        limit: CPU seconds that a counterpart may take.
        budget: seconds after which nothing more is begun.
        repeat: timed repeats of small cases; the smallest counts.
        tried: values of the weight of each method.
    """
    end, small = time.monotonic() + budget, problem(128)
    pairs = [Comparison(ours.best(small), other.best(small), limit, repeat, end)
             for ours, others in methods(tried) for other in others]  # fmt: skip
    for batch in batches:
        for size in sizes:
            case = problem(size, batch)
            yield from (pair.attempt(size, batch, case) for pair in pairs)


def iterations(sizes: Sequence[int] = (128, 512, 2048), repeat: int = 3) -> Iterator[Row]:
    """An iteration of ours, set-up taken out: n and 4 n iterations, their difference over 3 n."""
    for size in sizes:
        case, n = problem(size), 10 if size < 1000 else 3
        pair = fft_pair(case.given, 5)
        for ours, _ in methods(1):
            if ours.steps is None:
                continue
            few, many = (at(ours.solver, ours.steps, k) for k in (n, 4 * n))
            quality(few, case)
            times = repeat if size < 1000 else 1
            short, long = (smallest(partial(solver.solve, case.given), times) for solver in (few, many))
            one = (long - short) / (3 * n)
            yield {"solver": ours.name, "px": size, "one FFT pair, CPU ms": 1e3 * pair,
                   "one iteration, CPU ms": 1e3 * one, "FFT pairs": one / pair}  # fmt: skip


def methods(tried: int) -> list[tuple[Method, list[Method]]]:
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
            # 1 / 200: scikit-image's balance of 200; deepinv's and its filters fit no scale either.
            tuned("wiener", "balance", "wiener", prior="laplacian", scale=0.005),
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
    method = method.best(case)
    for reach in (2.0, 1.2):
        method = method._replace(values=around(method.solver, method.field, 9, 1 / reach, reach)).best(case)
    return method


class Comparison:
    """One of ours beside one counterpart, at their best weights, over sizes and batches."""

    def __init__(self, ours: Method, other: Method, limit: float, repeat: int, end: float):
        self.ours, self.other, self.limit, self.repeat, self.end = ours, other, limit, repeat, end
        self._per_pixel = 0.0
        self._reached: dict[int, tuple[float, float, Reached]] = {}

    def attempt(self, size: int, batch: int, case: Case) -> Row:
        """A row in any case: why it was not run, or an error of a library, is its note."""
        row: dict[str, Any] = {"ours": self.ours.name, "counterpart": self.other.name, "px": size, "batch": batch}
        limit = min(self.limit, self.end - time.monotonic())
        expected = self._per_pixel * batch * size**2
        if limit <= 0:
            return row | {"note": "not run: the time of this table was used up"}
        if expected > limit:
            return row | {"note": f"not run: the counterpart would take about {expected:.0f} s"}
        try:
            return {**row, **self._measured(size, batch, case)}
        except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as error:
            return row | {"note": f"failed: {type(error).__name__}: {str(error)[:80]}"}

    def _measured(self, size: int, batch: int, case: Case) -> Row:
        """The first image of every batch is the same, so that PSNR and iterations are those of one image."""
        repeat = self.repeat if batch * size**2 < 2**19 else 1
        their_db, theirs, reached = self._single(size, case)
        if batch > 1 or repeat > 1:
            theirs = seconds(self.other.solver, case.given, repeat)
        self._per_pixel = theirs / (batch * size**2)
        ours = seconds(reached.solver, case.given, repeat)
        floor = fft_pair(case.given, repeat) * reached.iterations
        below = their_db - reached.psnr
        return {
            "its dB": their_db, "its CPU s": theirs, "our dB": reached.psnr, "our iterations": reached.iterations,
            "our CPU s": ours, "times faster": theirs / ours,
            "FFT pairs an iteration, set-up included": ours / floor if floor and self.ours.steps else None,
            "note": "" if below <= EQUAL else f"ours stays {below:.2f} dB below",
        }  # fmt: skip

    def _single(self, size: int, case: Case) -> tuple[float, float, Reached]:
        """PSNR and CPU seconds of the counterpart on one image, and what ours needs."""
        if size not in self._reached:
            single = Case(alone(case.given, 0), case.truth)
            if self.ours.steps is None:
                # Closed forms are cheap: both get their best weight at this size, searched more finely.
                self.ours, self.other = (finely(m, single) for m in (self.ours, self.other))
            start = time.process_time()
            their_db = quality(self.other.solver, single)
            theirs = time.process_time() - start
            # Large pictures: from two entries below what the last size needed, for each try is dear.
            known = [STEPS.index(r.iterations) for _, _, r in self._reached.values()] if size > 512 else []
            first = max(0, known[-1] - 2) if known else 0
            self._reached[size] = their_db, theirs, reaching(self.ours, their_db, single, first, self.limit)
        return self._reached[size]
