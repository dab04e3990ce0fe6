"""The contract of a solver, as ``bench.testing`` checks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.contracts import Solver
from bench.oracles.gaussian import GaussianPrior, Scene
from bench.plugins import Plugin
from bench.testing import check_solver
from bench.verify import runs
from bench.verify.invariances import Blur, Check

#: The contract does not depend on how many steps are taken.
STEPS = 5


def check(plugin: Plugin, solver: Solver, settings: Mapping[str, Any], base: Path | None, blur: Blur = None) -> Check:
    """``check_solver`` with few steps; what it cannot ask a solver that needs a prior, on the oracle's problems."""
    short = {**settings, "steps": STEPS} if "steps" in plugin.settings else dict(settings)
    try:
        if solver.needs_prior:
            _with_prior(plugin, solver, blur)
        else:
            check_solver(plugin.name, short, base=base)
    except Exception as error:  # a verdict, whatever somebody's solver raises
        return Check("contract", "fail", 1.0, f"{type(error).__name__}: {error}")
    return Check("contract", "pass", 0.0, "shapes, types, boundaries, determinism, no side effects")


def _with_prior(plugin: Plugin, solver: Solver, blur: Blur) -> None:
    scene = Scene.make(GaussianPrior(), 0.1, size=32, psf=blur)
    first, again = (
        runs.problem(solver, GaussianPrior(), scene.y[None], scene.psf, scene.sigma, runs.generators(1))
        for _ in range(2)
    )
    y = first.y.clone()
    x = runs.solve(solver, first)
    assert torch.equal(first.y, y), f"{plugin.name}: solve() changed problem.y"
    assert torch.equal(x, runs.solve(solver, again)), f"{plugin.name}: the same generators gave another estimate"
