"""Total variation side by side: ours, deepinv and pylops on one measurement, one thread each.

    OMP_NUM_THREADS=1 python benchmarks/tv_bars.py [--repeat 5] [--kernels 1]

The picture is scikit-image's camera at 128 x 128 (4 x 4 means), the blur a Boracchi-Foi kernel with L = 40,
a = 0.005 and an extent of about 9 x 25 pixels in 31 x 31, the noise sigma = 2/255. The best weight of each method is
searched first; the seconds are CPU seconds, the smallest of the repeats, of one call at that weight. A second table
compares ``tv`` with periodic TV on padded data, where the measurement is the sensor's part of a larger scene.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from skimage import data
from torch import Tensor

from bench.assemble import assemble
from bench.blur import Blur, Boundary
from bench.contracts import Exposed, Image, Problem, Solver
from bench.measure import measure
from bench.padding import Padding, crop, pad, sides_for
from bench.plugins import find, load
from bench.seeds import generator

BoracchiFoi: Any = load(find("operator", "boracchi_foi"))
PoissonGaussian: Any = load(find("noise", "poisson_gaussian"))
DeepinvModel: Any = load(find("solver", "deepinv_model"))
PylopsTv: Any = load(find("solver", "pylops_tv"))
Tikhonov: Any = load(find("solver", "tikhonov"))
TV: Any = load(find("solver", "tv"))
TVFista: Any = load(find("solver", "tv_fista"))
Wiener: Any = load(find("solver", "wiener"))

BORDER = 16
PADDINGS: tuple[Padding, ...] = ("none", "zero", "mean", "edge", "reflect", "blend")


class Row(NamedTuple):
    """One method at its best weight."""

    name: str
    weight: float
    psnr: float
    full: float
    seconds: float


def picture() -> np.ndarray:
    """Camera, 128 x 128, float64 in [0, 1]."""
    return (data.camera() / 255).reshape(128, 4, 128, 4).mean((1, 3))[None]


def kernels(count: int) -> list[Exposed]:
    """The first ``count`` kernels of the recipe whose extent is 9 x 25 pixels, give or take 2, lying on the side."""
    found, seed, shake = [], 0, BoracchiFoi(length=40, anxiety=0.005, size=31, overflow="grow")
    while len(found) < count:
        k = shake.psf(generator("tv_bars", seed)).psf
        seed += 1
        extent = [int(np.ptp(np.flatnonzero(k.sum(axis) > 0))) + 1 for axis in (1, 0)]
        if abs(min(extent) - 9) <= 2 and abs(max(extent) - 25) <= 2 and k.shape == (31, 31):
            found.append(Exposed(k if extent[0] < extent[1] else np.ascontiguousarray(k.T)))
    return found


def problem(psf: Exposed, boundary: Boundary) -> tuple[Problem, Tensor]:
    """The measurement as a batch of one, and the truth."""
    margin = 0 if boundary == "circular" else 15
    noise = PoissonGaussian(lam=float("inf"), sigma=2.0)
    m = measure(Image("camera", picture(), margin), psf, noise, generator("tv_bars noise"), boundary)
    return assemble([m], [generator(0)], boundary=boundary), torch.as_tensor(m.truth, dtype=torch.float32)


def psnr(x: Tensor, truth: Tensor, border: int) -> float:
    """PSNR of the clipped estimate without ``border`` pixels on each side."""
    error = (x[0].clamp(0, 1) - truth)[..., border : x.shape[-2] - border, border : x.shape[-1] - border]
    return float(-10 * error.square().mean().log10())


def best(
    name: str, solvers: Sequence[tuple[float, Solver]], case: tuple[Problem, Tensor], border: int, repeat: int
) -> Row:
    """The best of some solvers by PSNR off the border, and its time."""
    given, truth = case
    scored = [(psnr(s.solve(given), truth, border), w, s) for w, s in solvers]
    quality, weight, solver = max(scored, key=lambda item: item[0])
    seconds = min(cpu_seconds(lambda: solver.solve(given)) for _ in range(repeat))
    return Row(name, weight, quality, psnr(solver.solve(given), truth, 0), seconds)


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def sweep(solver: Solver, field: str, factors: Iterable[float]) -> list[tuple[float, Solver]]:
    """The solver with ``field`` multiplied by each factor."""
    assert dataclasses.is_dataclass(solver)
    middle = getattr(solver, field)
    return [(middle * f, dataclasses.replace(solver, **{field: middle * f})) for f in factors]


def circular_table(psf: Exposed, repeat: int) -> list[Row]:
    """Every method on the circular measurement."""
    case = problem(psf, "circular")
    fine = np.geomspace(0.25, 4, 13)
    methods: list[tuple[str, Solver, str, Iterable[float]]] = [
        ("wiener laplacian", Wiener(prior="laplacian"), "balance", fine),
        ("wiener", Wiener(), "balance", fine),
        ("wiener, untuned", Wiener(), "balance", [1.0]),
        ("tikhonov", Tikhonov(), "mu", fine),
        ("tv", TV(), "lam", fine),
        ("tv, untuned", TV(), "lam", [1.0]),
        ("tv_fista", TVFista(), "lam", fine),
        ("deepinv Wiener laplacian", DeepinvModel(model="wiener"), "weight", fine),
        ("deepinv PDCP TV, 100 it", DeepinvModel(model="pdcp_tv"), "weight", fine),
        ("pylops split Bregman TV", PylopsTv(), "eps", np.geomspace(0.25, 4, 7)),
    ]
    return [best(name, sweep(s, field, f), case, BORDER, repeat) for name, s, field, f in methods]


def valid_table(psf: Exposed, repeat: int) -> list[Row]:
    """The masked ``tv`` against periodic TV on every padding, over the whole picture."""
    given, truth = problem(psf, "valid")
    factors = np.geomspace(0.25, 64, 17)
    rows = [best("unknown boundary (tv)", sweep(TV(), "lam", factors), (given, truth), 0, repeat)]
    for mode in PADDINGS:
        padded = [(w, Padded(tv, mode)) for w, tv in sweep(TV(steps=40), "lam", factors)]
        rows.append(best(f"padding {mode}, periodic TV", padded, (given, truth), 0, repeat))
    return rows


@dataclasses.dataclass(frozen=True)
class Padded(Solver):
    """A periodic solver on padded data."""

    inner: Solver
    mode: Padding

    def solve(self, problem: Problem) -> Tensor:
        """Pad by 32 pixels or the next fast size, solve, crop."""
        sides = sides_for((problem.y.shape[-2], problem.y.shape[-1]), (32, 32), self.mode)
        y = pad(problem.y, sides, self.mode)
        blur = Blur(problem.psf, (y.shape[-2], y.shape[-1]), "circular")
        return crop(self.inner.solve(Problem(y, blur, problem.noise, problem.rng)), sides)


def show(title: str, rows: Sequence[Row], baseline: str) -> None:
    """Print a Markdown table; times also relative to ``baseline``."""
    reference = next(row.seconds for row in rows if row.name == baseline)
    print(f"\n{title}\n\n| method | weight | PSNR interior | PSNR full | ms | time / {baseline} |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        ms, ratio = 1e3 * r.seconds, r.seconds / reference
        print(f"| {r.name} | {r.weight:.3g} | {r.psnr:.2f} | {r.full:.2f} | {ms:.2f} | {ratio:.2f} |")


def main() -> None:
    """Both tables for each kernel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="timed repeats; the smallest counts")
    parser.add_argument("--kernels", type=int, default=1, help="how many kernels of the recipe")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for i, psf in enumerate(kernels(options.kernels)):
        given, truth = problem(psf, "circular")
        print(f"\n## Kernel {i}: measurement {psnr(given.y, truth, BORDER):.2f} dB interior")
        show("Circular, interior PSNR, best weight each", circular_table(psf, options.repeat), "tv")
        show("Valid, whole-picture PSNR, best weight each", valid_table(psf, options.repeat), "unknown boundary (tv)")


if __name__ == "__main__":
    main()
