"""How cost grows: with cells, images, pixels, kernels, samples, workers.

    OMP_NUM_THREADS=1 python benchmarks/growth.py [--small]

CPU seconds against one quantity at a time, and the exponent of the power law through them: the slope of a straight
line through the logarithms, by least squares, with its standard error. Of runs the seconds of a run of one cell
(start-up) are taken off. Workers: the wall seconds of one grid with one worker and with two.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from clock import smallest, spend
from overhead import BENCH
from scene import made, problem
from tables import Row as AnyRow
from tables import show
from tasks import ours

from bench.contracts import Exposed
from bench.seeds import generator

COLUMNS = {"axis": "axis", "what": "what", "x": "how many", "seconds": "s"}
FIT_COLUMNS = {
    "axis": "axis", "what": "what", "first": "from", "last": "to", "first_s": "s there", "last_s": "s there",
    "exponent": "exponent", "error": "±",
}  # fmt: skip
WORKERS = """
name: workers
data: {{test: {{photos: {{split: test, size: 64, limit: 4}}}}}}
blur: [disk: {{radius: 2}}]
noise: [poisson_gaussian: {{lam: 48000, sigma: 4}}]
solvers: [tv_fista: {{steps: {steps}, lam: [{lams}]}}]
metrics: [psnr]
run: {{images: 0}}
"""


class Row(NamedTuple):
    """Seconds (CPU; wall for workers) at one value of an axis."""

    axis: str
    what: str
    x: int
    seconds: float


class Fit(NamedTuple):
    """seconds = c x^exponent between two values, with the exponent's standard error."""

    axis: str
    what: str
    first: int
    last: int
    first_s: float
    last_s: float
    exponent: float
    error: float


def fit(points: Sequence[AnyRow]) -> Fit | None:
    """The power law through rows of one line; None of fewer than three."""
    x = np.log([p["x"] for p in points])
    y = np.log([max(p["seconds"], 1e-9) for p in points])
    if len(x) < 3:
        return None
    slope, shift = np.polyfit(x, y, 1)
    rest = y - slope * x - shift
    error = float(np.sqrt((rest**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum()))
    a, b = points[0], points[-1]
    return Fit(a["axis"], a["what"], a["x"], b["x"], a["seconds"], b["seconds"], float(slope), error)


def lines(rows: Iterable[AnyRow]) -> dict[tuple[str, str], list[AnyRow]]:
    """The rows by axis and what."""
    found: dict[tuple[str, str], list[AnyRow]] = {}
    for row in rows:
        found.setdefault((row["axis"], row["what"]), []).append(row)
    return found


def fits(rows: Iterable[AnyRow]) -> list[Fit]:
    """An exponent for every line that has one."""
    return [f for points in lines(rows).values() if (f := fit(points))]


def runs(cells: Sequence[int], images: Sequence[int]) -> Iterator[Row]:
    """Cold runs: cells of one solver on fifty images, by the number of its settings; then images of one setting."""
    start = min(_run(1, 1) for _ in range(3))
    for n in cells:
        yield Row("cells", "bench run, no-op", n, _run(n, min(n, 50)) - start)
    for n in images:
        yield Row("images", "bench run, no-op", n, _run(n, n) - start)


def _run(cells: int, images: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        grid = ours(Path(name), "noop", cells, images)
        return spend(BENCH, "run", grid.name, "--workers", "1", cwd=grid.parent).cpu


def sizes(sides: Sequence[int], repeat: int) -> Iterator[Row]:
    """Solvers by the pixels of a picture."""
    for name, settings in (("wiener", {}), ("richardson_lucy", {}), ("haar_fista", {}), ("tv", {"steps": 20})):
        solver = made("solver", name, **settings)
        for side in sides:
            given = problem(side).given
            solver.solve(given)
            spent = smallest(lambda s=solver, p=given: s.solve(p), repeat if side < 512 else 1)
            yield Row("pixels", name, side**2, spent)


def kernels(sides: Sequence[int], size: int, repeat: int) -> Iterator[Row]:
    """Making a kernel, and solvers on ``valid`` data, by the side of the kernel."""
    for side in sides:
        shake = made("operator", "boracchi_foi", length=side / 2, size=side, overflow="grow")
        rngs = [generator("growth", side, i) for i in range(16)]
        spent = smallest(lambda s=shake, r=rngs: s.psfs(r), repeat) / 16
        yield Row("kernel's side", "boracchi_foi, one kernel", side, spent)
    for name, settings in (("wiener", {}), ("tv", {"steps": 20})):
        solver = made("solver", name, **settings)
        for side in sides:
            disk = made("operator", "disk", radius=side / 2 - 1).psf(generator(0)).psf
            given = problem(size, 1, "valid", Exposed(disk)).given
            solver.solve(given)
            spent = smallest(lambda s=solver, p=given: s.solve(p), repeat)
            yield Row("kernel's side", f"{name}, {size} px", disk.shape[0], spent)


def samples(counts: Sequence[int], steps: int) -> Iterator[Row]:
    """Posterior samples of one picture."""
    from functools import partial

    from samplers import Photographs

    data = Photographs(64, 1)
    solver = made("solver", "sprox", steps=steps)
    make, _ = data.test[0]
    with torch.no_grad():
        solver.samples(make(), 1)
        for n in counts:
            spent = smallest(partial(solver.samples, make(), n), 2)
            yield Row("samples", f"sprox, {steps} evaluations, 64 px", n, spent)


def workers(cells: int, steps: int) -> Iterator[Row]:
    """One grid with one worker and with two."""
    lams = ", ".join(f"{0.0005 * (1 + i):g}" for i in range(cells // 4))
    for n in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "g.yaml").write_text(WORKERS.format(steps=steps, lams=lams))
            spent = spend(BENCH, "run", "g.yaml", "--workers", str(n), cwd=Path(name))
        yield Row("workers", f"bench run, {cells} cells of tv_fista, wall s", n, spent.wall)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every axis."""
    small = options.small
    repeat = 1 if small else 3
    yield from sizes((64, 128, 256, 512) if small else (64, 128, 256, 512, 1024), repeat)
    yield from kernels((7, 15, 31, 63), 64 if small else 256, repeat)
    yield from samples((1, 2, 3, 4) if small else (1, 2, 4, 8, 16), 3 if small else 10)
    yield from workers(16 if small else 160, 50 if small else 600)
    yield from runs(*(((50, 100), (10, 30)) if small else ((200, 500, 1500, 5000), (100, 300, 1000, 3000))))


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few and small points, to see that it works")
    return parser


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    found = list(rows(arguments().parse_args()))
    show(COLUMNS, found)
    show(FIT_COLUMNS, fits([r._asdict() for r in found]))


if __name__ == "__main__":
    main()
