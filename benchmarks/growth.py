"""How cost grows: with cells, images, pixels, kernels, samples, workers.

CPU seconds against one quantity at a time, and the exponent of the power law through them: the slope of a straight
line through the logarithms, by least squares, with its standard error. Of runs the seconds of a run of one cell
(start-up) are taken off. Workers: the wall seconds of one grid with one worker and with two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from clock import smallest, spend
from harness import BENCH
from samplers import Photograph
from scene import made, problem
from tables import Row
from tasks import ours

from bench.contracts import Exposed
from bench.methods.networks.weights import load
from bench.plugins.weights import find_weights
from bench.seeds import generator

WORKERS = """
name: workers
data: {{test: {{photos: {{split: test, size: 64, limit: 4}}}}}}
blur: [disk: {{radius: 2}}]
noise: [poisson_gaussian: {{lam: 48000, sigma: 4}}]
solvers: [tv_fista: {{steps: {steps}, lam: [{lams}]}}]
metrics: [psnr]
run: {{images: 0}}
"""


def rows(small: bool = False) -> Iterator[Row]:
    """Every axis; ``small``: few and small points."""
    repeat = 1 if small else 3
    yield from pixels((64, 128, 256, 512) if small else (64, 128, 256, 512, 1024), repeat)
    yield from kernels((7, 15, 31, 63), 64 if small else 256, repeat)
    yield from samples((1, 2, 3, 4) if small else (1, 2, 4, 8, 16), 3 if small else 10)
    yield from workers(16 if small else 160, 50 if small else 600)
    yield from runs(*(((50, 100), (10, 30)) if small else ((200, 500, 1500, 5000), (100, 300, 1000, 3000))))


def row(axis: str, what: str, x: int, seconds: float) -> Row:
    """Seconds (CPU; wall for workers) at one value of an axis."""
    return {"axis": axis, "what": what, "how many": x, "s": seconds}


def lines(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows by axis and what."""
    out: dict[tuple[str, str], list[Row]] = {}
    for r in rows:
        out.setdefault((r["axis"], r["what"]), []).append(r)
    return out


def fits(rows: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """The power law through each line of three points or more, seconds = c x^exponent, by axis and what."""
    out = {}
    for (axis, what), points in lines(rows).items():
        x, y = np.log([p["how many"] for p in points]), np.log([max(p["s"], 1e-9) for p in points])
        if len(x) > 2:
            slope, shift = np.polyfit(x, y, 1)
            rest = y - slope * x - shift
            error = float(np.sqrt((rest**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum()))
            a, b = points[0], points[-1]
            out[axis, what] = {
                "axis": axis, "what": what, "from": a["how many"], "to": b["how many"], "s at the first": a["s"],
                "s at the last": b["s"], "exponent": float(slope), "±": error,
            }  # fmt: skip
    return out


def runs(cells: Sequence[int], images: Sequence[int]) -> Iterator[Row]:
    """Cold runs: cells of one solver on fifty images, by the number of its settings; then images of one setting."""
    start = min(_run(1, 1) for _ in range(3))
    for n in cells:
        yield row("cells", "bench run, no-op", n, _run(n, min(n, 50)) - start)
    for n in images:
        yield row("images", "bench run, no-op", n, _run(n, n) - start)


def _run(cells: int, images: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        grid = ours(Path(name), "noop", cells, images)
        return spend(BENCH, "run", grid.name, "--workers", "1", cwd=grid.parent).cpu


def pixels(sides: Sequence[int], repeat: int) -> Iterator[Row]:
    """Solvers by the pixels of a picture."""
    for name, settings in (("wiener", {}), ("richardson_lucy", {}), ("haar_fista", {}), ("tv", {"steps": 20})):
        solver = made("solver", name, **settings)
        for side in sides:
            solve = partial(solver.solve, problem(side).given)
            solve()
            yield row("pixels", name, side**2, smallest(solve, repeat if side < 512 else 1))


def kernels(sides: Sequence[int], size: int, repeat: int) -> Iterator[Row]:
    """Making a kernel, and solvers on ``valid`` data, by the side of the kernel."""
    for side in sides:
        shake = made("operator", "boracchi_foi", length=side / 2, size=side, overflow="grow")
        rngs = [generator("growth", side, i) for i in range(16)]
        yield row("kernel's side", "boracchi_foi, one kernel", side, smallest(partial(shake.psfs, rngs), repeat) / 16)
    for name, settings in (("wiener", {}), ("tv", {"steps": 20})):
        solver = made("solver", name, **settings)
        for side in sides:
            disk = made("operator", "disk", radius=side / 2 - 1).psf(generator(0)).psf
            solve = partial(solver.solve, problem(size, 1, "valid", Exposed(disk)).given)
            solve()
            yield row("kernel's side", f"{name}, {size} px", disk.shape[0], smallest(solve, repeat))


def samples(counts: Sequence[int], steps: int) -> Iterator[Row]:
    """Posterior samples of one photograph."""
    photograph, solver = Photograph(load(find_weights("photos")), "test", 64), made("solver", "sprox", steps=steps)
    with torch.no_grad():
        solver.samples(photograph.problem(), 1)
        for n in counts:
            spent = smallest(partial(solver.samples, photograph.problem(), n), 2)
            yield row("samples", f"sprox, {steps} evaluations, 64 px", n, spent)


def workers(cells: int, steps: int) -> Iterator[Row]:
    """One grid with one worker and with two."""
    lams = ", ".join(f"{0.0005 * (1 + i):g}" for i in range(cells // 4))
    for n in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "g.yaml").write_text(WORKERS.format(steps=steps, lams=lams))
            spent = spend(BENCH, "run", "g.yaml", "--workers", str(n), cwd=Path(name))
        yield row("workers", f"bench run, {cells} cells of tv_fista, wall s", n, spent.wall)
