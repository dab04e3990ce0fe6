"""The problem that classical solvers are compared on, and the search for the best weight of a method.

scikit-image's camera; a Boracchi-Foi kernel with L = 40, a = 0.005 and an extent of about 9 x 25 pixels in 31 x 31;
noise sigma = 2/255.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from skimage import data
from skimage.transform import resize
from torch import Tensor

from bench.contracts import Exposed, Image
from bench.imaging.blur import Boundary
from bench.imaging.measure import measure
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem, Solver
from bench.plugins.describe import Kind
from bench.plugins.lookup import find_plugin, load_plugin
from bench.seeds import generator

#: pixels on each side that do not count for PSNR
BORDER = 16


class Case(NamedTuple):
    """A batch of measurements of one scene, and the scene."""

    given: Problem
    truth: Tensor


class Tuned(NamedTuple):
    """A solver at the value of a setting that suits it best, and the PSNR there (dB, off the border)."""

    solver: Any
    value: float
    psnr: float


def made(kind: Kind, name: str, **settings: Any) -> Any:
    """A shipped plug-in."""
    return load_plugin(find_plugin(kind, name))(**settings)


def picture(size: int) -> np.ndarray:
    """Camera (1, size, size), float64 in [0, 1]: averaged down to 128, as it is at 512, enlarged beyond."""
    camera = np.asarray(data.camera()) / 255
    if len(camera) % size == 0:
        n = len(camera) // size
        return camera.reshape(size, n, size, n).mean((1, 3))[None]
    enlarged = resize(camera, (size, size), order=3, anti_aliasing=size < len(camera))
    return np.clip(np.asarray(enlarged), 0, 1)[None]


def kernel(number: int = 0) -> Exposed:
    """A kernel of the recipe whose extent is 9 x 25 pixels, give or take 2, lying on its side."""
    shake, fitting = made("operator", "boracchi_foi", length=40, anxiety=0.005, size=31, overflow="grow"), []
    for seed in range(10**6):
        k = shake.psf(generator("tv_bars", seed)).psf
        extent = [int(np.ptp(np.flatnonzero(k.sum(axis) > 0))) + 1 for axis in (1, 0)]
        if abs(min(extent) - 9) <= 2 and abs(max(extent) - 25) <= 2 and k.shape == (31, 31):
            fitting.append(Exposed(k if extent[0] < extent[1] else np.ascontiguousarray(k.T)))
            if len(fitting) > number:
                break
    return fitting[number]


def problem(size: int, batch: int = 1, boundary: Boundary = "circular", psf: Exposed | None = None) -> Case:
    """A batch of measurements of one scene, each with noise of its own."""
    psf = psf or kernel()
    margin = 0 if boundary == "circular" else max(psf.psf.shape) // 2
    image = Image("camera", picture(size), margin)
    noise = made("noise", "poisson_gaussian", lam=math.inf, sigma=2.0)
    batched = [measure(image, psf, noise, generator("side by side", i), boundary) for i in range(batch)]
    given = assemble(batched, [generator(i) for i in range(batch)], boundary=boundary)
    return Case(given, torch.as_tensor(batched[0].truth, dtype=torch.float32))


def psnr(x: Tensor, truth: Tensor, border: int = BORDER) -> float:
    """PSNR of the clipped first estimate of a batch without ``border`` pixels on each side."""
    error = (x[0].clamp(0, 1) - truth)[..., border : x.shape[-2] - border, border : x.shape[-1] - border]
    return float(-10 * error.square().mean().log10())


def quality(solver: Solver, case: Case, border: int = BORDER) -> float:
    """PSNR of a solver's estimate of the first image."""
    return psnr(solver.solve(case.given), case.truth, border)


def at(solver: Any, field: str, value: float) -> Any:
    """The solver with another value of a setting."""
    kind = float if isinstance(getattr(solver, field), float) else int
    return dataclasses.replace(solver, **{field: kind(value)})


def best(solver: Any, field: str, values: Sequence[float], case: Case, border: int = BORDER) -> Tuned:
    """The best of some values by PSNR."""
    tried = [(at(solver, field, v), v) for v in values]
    return max((Tuned(s, v, quality(s, case, border)) for s, v in tried), key=lambda t: t.psnr)


def around(solver: Any, field: str, n: int, low: float = 1 / 16, high: float = 16.0) -> list[float]:
    """Values about the default, by equal factors; of one, the default."""
    if n == 1:
        return [getattr(solver, field)]
    return [getattr(solver, field) * float(f) for f in np.geomspace(low, high, n)]
