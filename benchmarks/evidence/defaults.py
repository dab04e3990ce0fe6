"""The defaults of the project's own solvers, derived anew on validation pictures alone.

    python benchmarks/evidence/defaults.py [SOLVER ...]

Pictures: all 9 crops of ``photos``, split val (coffee, hubble, gravel, tissue, rocket, moon, retina), 64 x 64 with
real scene around them; no test picture. Each has a blur of its own, in turn a shake (length 16, anxiety 0.005), a
disk of radius 2.5 and a line of 9 px at 30 degrees; Gaussian noise of 1, 4 and 16 grey levels. Seeds are the
script's own. pnp_hqs gets the shipped prior ``photos``. With names only those solvers are derived.

Objective: PSNR of the clipped estimate without its outer 8 pixels, mean over the 27 measurements. Of a parameter,
golden-section search from the range that its solver declares, 8 values; then how much the default loses to the best
of these. Exponents: of the power law in ``wiener``, whose scale is estimated from each image, on a grid; of sigma in
the weight of TV together with the weight itself, the mean PSNR over the pictures interpolated in the logarithm.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench.grid.search import Range, steps
from bench.imaging.measure import Measurement, measure
from bench.methods.classical import spectra
from bench.methods.diffusion.denoiser import Denoiser, placed
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin

SEED, SIDE, BORDER, BUDGET = 20261124, 25, 8, 8
SIGMAS = (1.0, 4.0, 16.0)  # grey levels
#: What several solvers share is derived with one of them: tv's also holds for tv_fista, tv_kl, pyproximal_tv and the
#: TV of deepinv, which solve the same problem, and haar_fista's for pylops_fista_haar.
PARAMETERS = (
    ("wiener", "balance"), ("tikhonov", "mu"), ("skimage_wiener", "balance"), ("wiener_admm_tv", "lam"),
    ("richardson_lucy", "steps"), ("haar_fista", "lam"), ("tv_haar", "lam"), ("pylops_tv", "eps"),
    ("l1_autograd", "lam"), ("pnp_hqs", "lam"),
)  # fmt: skip

Score = Callable[[Any], float]


def shipped(kind: Any, name: str) -> Any:
    """The class of a shipped plug-in."""
    return load_plugin(find_plugin(kind, name))


def measurements() -> list[Measurement]:
    """Picture by picture and, within each, noise by noise; PSFs of one size, so that all are one batch."""
    photos, noise = (
        shipped("dataset", "photos")(split="val", size=64, margin=16),
        shipped("noise", "poisson_gaussian"),
    )
    operators = (
        shipped("operator", "boracchi_foi")(length=16.0, anxiety=0.005, size=SIDE),
        shipped("operator", "disk")(radius=2.5),
        shipped("operator", "linear")(length=9.0, angle=30.0),
    )
    taken = []
    for i, name in enumerate(photos.ids()):
        exposed = operators[i % 3].psf(np.random.default_rng([SEED, 0, i]))
        around = (SIDE - exposed.psf.shape[0]) // 2, (SIDE - exposed.psf.shape[1]) // 2
        exposed = exposed._replace(psf=np.pad(exposed.psf, [(n, n) for n in around]))
        for sigma in SIGMAS:
            rng = np.random.default_rng([SEED, 1, i, int(sigma)])
            taken.append(measure(photos.load(name), exposed, noise(lam=math.inf, sigma=sigma), rng))
    return taken


def psnr(estimate: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """(pictures, noises) of estimates in the order of ``measurements``."""
    inside = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    mse = (estimate.clamp(0, 1) - truth)[inside].double().square().mean((1, 2, 3))
    return (-10 * mse.log10()).numpy().reshape(-1, len(SIGMAS))


def searched(parameter: Any, score: Score) -> tuple[Any, float]:
    """The best value of a parameter within the budget, and its score."""
    t = parameter.tune
    least = -math.inf if t["least"] is None else t["least"]
    axis = Range(t["low"], t["high"], t["log"], parameter.annotation == "int", least)
    search, scores = steps({"value": axis}, BUDGET, {}), dict[Any, float]()
    asked = next(search)
    while True:
        scores |= {c["value"]: score(c["value"]) for c in asked}
        try:
            asked = search.send([-scores[c["value"]] for c in asked])
        except StopIteration:
            best = max(scores, key=lambda v: scores[v])
            return best, scores[best]


def parameters(problem: Callable[[], Problem], truth: torch.Tensor, wanted: Sequence[str] = ()) -> None:
    """One line for each (of those wanted): the default and the best value, and what the former loses."""
    print("solver, parameter: default, best value, mean PSNR of the best, dB that the default loses")
    for name, parameter in (p for p in PARAMETERS if not wanted or p[0] in wanted):
        cls, described = shipped("solver", name), find_plugin("solver", name).parameters[parameter]

        def score(value: Any, cls: Any = cls, parameter: str = parameter) -> float:
            return float(psnr(cls(**{parameter: value}).solve(problem()), truth).mean())

        value, best = searched(described, score)
        lost = best - score(described.default)
        print(f"{name:16} {parameter:8} {described.default:8g} {value:8g} {best:8.2f} {lost:8.3f}", flush=True)


def power_law(problem: Callable[[], Problem], truth: torch.Tensor) -> None:
    """The mean PSNR of ``wiener`` for each exponent."""
    print("exponent of the power law: mean PSNR of wiener, and the most that it loses at any noise")
    default, table = spectra.POWER_LAW_EXPONENT, dict[float, np.ndarray]()
    for exponent in np.arange(1.5, 4.01, 0.25):
        spectra.POWER_LAW_EXPONENT = float(exponent)
        table[float(exponent)] = psnr(shipped("solver", "wiener")().solve(problem()), truth).mean(0)
    spectra.POWER_LAW_EXPONENT = default
    best = np.max(list(table.values()), 0)
    for exponent, row in table.items():
        print(f"{exponent:5.2f}  {row.mean():.2f}  {(best - row).max():.2f}", flush=True)


def exponent_of_sigma(problem: Callable[[], Problem], truth: torch.Tensor) -> None:
    """TV: the best ``lam`` at each noise level, and for each exponent of sigma the best ``lam`` and the mean PSNR."""
    lams, sigma = np.geomspace(0.08, 5, 13), np.array(SIGMAS) / 255
    solve = shipped("solver", "tv")
    curves = np.array([psnr(solve(lam=float(lam)).solve(problem()), truth).mean(0) for lam in lams])  # (lams, noises)
    fine = np.linspace(math.log(0.08), math.log(5), 400)
    smooth = [np.polyval(np.polyfit(np.log(lams), curve, 5), fine) for curve in curves.T]
    best = np.array([fine[c.argmax()] for c in smooth])
    slope = 1.5 + np.polyfit(np.log(sigma), best, 1)[0]
    print(f"tv: best lam at each noise {np.exp(best).round(2)}; the best weight grows as sigma^{slope:.2f}")
    print(
        "exponent of sigma: best lam (of sigma^exponent, in units of sigma = 4 / 255), mean PSNR, loss of lam = 0.65"
    )
    for p in np.arange(1.0, 2.01, 0.125):
        # lam sigma^1.5 = lam' (sigma / sigma0)^(p - 1.5) sigma^1.5
        shifts = (p - 1.5) * np.log(sigma / (4 / 255))
        total = np.mean([np.interp(fine + d, fine, c) for d, c in zip(shifts, smooth, strict=True)], 0)
        lost = total.max() - np.interp(math.log(solve().lam), fine, total)
        print(f"{p:6.3f}  {math.exp(fine[total.argmax()]):.2f}  {total.max():.3f}  {lost:.3f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    taken = measurements()
    sharp = torch.as_tensor(np.stack([m.sharp for m in taken]))

    prior = placed(shipped("prior", "trained")(weights="photos").load(), torch.float32, "cpu")

    def fresh() -> Problem:
        """The problem of all measurements, with no calls counted yet."""
        rngs = [np.random.default_rng(i) for i in range(len(taken))]
        return assemble(taken, rngs, prior=lambda cost: Denoiser(prior, cost))

    if not sys.argv[1:]:
        power_law(fresh, sharp)
        exponent_of_sigma(fresh, sharp)
    with torch.no_grad():
        parameters(fresh, sharp, sys.argv[1:])
