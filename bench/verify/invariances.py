"""What must not change an estimate: the batch, the size of the picture, its units, where an optimiser begins."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch

from bench.methods.problem import Solver
from bench.plugins.describe import Plugin
from bench.verify import runs
from bench.verify.oracles import moments
from bench.verify.oracles.gaussian import GaussianPrior, Scene
from bench.verify.oracles.moments import Moments

#: A PSF, or None for that of the oracle.
Blur = np.ndarray | None
CheckOutcome = Literal["pass", "fail", "info"]
#: Largest change of a pixel that is rounding, in [-1, 1] units.
ROUNDING = 1e-5
#: Of χ², over that of exact samples, between the sizes.
SIZE_SPREAD = 1.3
#: Of estimates from different starts: mean squared difference over the MMSE.
START_SPREAD = 0.05
SIZES = {32: 16, 64: 8, 128: 4}
UNITS = 3.0


@dataclass(frozen=True)
class Check:
    """One invariance: ``info`` where it is reported but not required."""

    name: str
    outcome: CheckOutcome
    value: float
    text: str

    def json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def batch(solver: Solver, prior: GaussianPrior, blur: Blur = None) -> Check:
    """An image alone and among eight."""
    scenes = [Scene.make(prior, 0.1, index=i, psf=blur) for i in range(8)]
    y, psf = torch.stack([s.y for s in scenes]), scenes[0].psf
    together = runs.draw(solver, prior, y, psf, 0.1, runs.generators(8))
    alone = runs.draw(solver, prior, y[5:6], psf, 0.1, runs.generators(8)[5:6])
    gap = float((alone[0] - together[5]).abs().max())
    return Check("batch", _within(gap, ROUNDING), gap, f"alone and in a batch of 8: differ by up to {gap:.1e}")


def size(solver: Solver, prior: GaussianPrior, blur: Blur = None, most: int = 128) -> Check:
    """χ² at several sizes of the same texture, blur and noise: what a step that forgets the size changes."""
    chi2 = {n: _chi2(solver, prior, blur, n, samples) for n, samples in SIZES.items() if n <= most}
    spread = max(chi2.values()) / min(chi2.values())
    text = ", ".join(f"{n} px {v:.2f}" for n, v in chi2.items())
    return Check("size", _within(spread, SIZE_SPREAD), spread, f"χ² over that of exact samples: {text}")


def units(solver: Solver, prior: GaussianPrior, blur: Blur = None) -> Check:
    """(y, K, σ) -> c (y, K, σ): the same problem. No solver has to keep it, so that it is only reported."""
    scene = Scene.make(prior, 0.1, psf=blur)
    one, other = (
        runs.problem(solver, prior, scene.y[None], scene.psf, scene.sigma, runs.generators(1)) for _ in range(2)
    )
    if solver.blind:
        return Check("units", "info", 0.0, "blind: sees no units")
    gap = float((runs.solve(solver, one) - runs.solve(solver, runs.scaled(other, UNITS))).abs().max())
    outcome = "unchanged" if gap <= ROUNDING else f"changes by up to {gap:.1e}"
    return Check("units", "pass" if gap <= ROUNDING else "info", gap, f"(y, K, σ) times {UNITS:g}: {outcome}")


def start(
    plugin: Plugin,
    settings: Mapping[str, Any],
    make: Callable[[dict[str, Any]], Solver],
    prior: GaussianPrior,
    blur: Blur = None,
) -> list[Check]:
    """Estimates from every value of the setting ``init``; nothing where there is no such setting."""
    options = choices(plugin, "init")
    if not options:
        return []
    scene = Scene.make(prior, 0.1, psf=blur)
    y = scene.y[None]
    means = [
        runs.draw(make({**settings, "init": o}), prior, y, scene.psf, scene.sigma, runs.generators(1))[0]
        for o in options
    ]
    spread = max(float(((x - means[0]) ** 2).sum() / scene.variance.sum()) for x in means)
    text = f"{', '.join(options)}: mean squared difference at most {spread:.1e} of the MMSE"
    return [Check("start", _within(spread, START_SPREAD), spread, text)]


def choices(plugin: Plugin, name: str) -> tuple[str, ...]:
    """What a setting declared as Literal[...] may be; () for any other."""
    annotation = plugin.parameters[name].annotation if name in plugin.parameters else ""
    if not annotation.startswith("Literal["):
        return ()
    options = ast.literal_eval(f"({annotation.removeprefix('Literal[').removesuffix(']')},)")
    return tuple(o for o in options if isinstance(o, str))


def _chi2(solver: Solver, prior: GaussianPrior, blur: Blur, pixels: int, samples: int) -> float:
    scene = Scene.make(prior, 0.1, size=pixels, psf=blur)
    y, rngs = scene.y.expand(samples, -1, -1), runs.generators(samples, "size", pixels)
    drawn = Moments.of(runs.draw(solver, prior, y, scene.psf, scene.sigma, rngs))
    return moments.chi2(drawn, scene) / moments.chi2(Moments(scene.mean, scene.variance), scene)


def _within(value: float, limit: float) -> CheckOutcome:
    return "pass" if value <= limit else "fail"
