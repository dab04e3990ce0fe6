"""Examining a solver: everything that its certificate says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.errors import SettingError
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.problem import Solver
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build, resolve
from bench.verify import calibration, conformance, gaussian, invariances, mixture, stein
from bench.verify.certificate import Certificate, Kind
from bench.verify.oracles.gaussian import GaussianPrior
from bench.verify.oracles.mixture import MixturePrior

#: Evaluations of the prior above which fewer samples are drawn.
MANY = 300


def examine(
    name: str,
    settings: Mapping[str, Any] | None = None,
    *,
    kind: Kind | None = None,
    samples: int | None = None,
    quick: bool = False,
    prior: str | None = None,
    base: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Certificate:
    """The certificate of a solver.

    Args:
        name: a built-in name or a path to a file.
        settings: of the solver; defaults otherwise.
        kind: what to judge it as; by default what it declares (see ``declared``).
        samples: drawn where moments cannot be had exactly; by default 64, or 16 for a solver with many evaluations.
        quick: the main oracle alone, few samples, no large pictures: the grade is an upper bound.
        prior: weights of a trained prior of gray pictures, of whose posterior a sampler's samples are tested too.
        base: the folder that a relative path starts from.
        say: gets a line on what is going on.
    """
    began, plugin = time.perf_counter(), find_plugin("solver", name, base)
    given = resolve(plugin, settings or {})
    make = partial(build, plugin, load_plugin(plugin))
    solver = make(given)
    if samples is not None and samples < 2:
        raise SettingError(f"samples must be at least 2, got {samples}")
    kind = kind or declared(solver)
    model = None if prior is None else _trained(solver, kind, prior)
    with _one_thread():
        gaussians = GaussianPrior()
        blur = _suitable(solver)
        say("contract")
        checks = [conformance.check(plugin, given, base)]
        cost = gaussian.calls(solver, blur)
        many = cost.nfe_forward + cost.nfe_backward > MANY
        scores = []
        for oracle in gaussian.ORACLES[:1] if quick else _oracles(solver):
            say(oracle.name)
            n = samples or (16 if quick or many else 64)
            suited = oracle if blur is None else oracle.without_blur()
            scores.append(gaussian.score(solver, suited, n, cost.nfe_forward))
        truths = patches = None
        if not quick and solver.needs_prior and kind == "sample":
            say("many truths")
            truths = calibration.score(solver, gaussians, 64 if many else 128, blur)
            say("mixture")
            count = {"patches": 8, "samples": 8} if many else {}
            patches = mixture.score(solver, MixturePrior(), psf=blur, **count)
        say("invariances")
        checks += [
            invariances.batch(solver, gaussians, blur),
            invariances.size(solver, gaussians, blur, most=64 if quick else 128),
            invariances.units(solver, gaussians, blur),
            *invariances.start(plugin, given, make, gaussians, blur),
        ]
        on_trained = None
        if model is not None and prior is not None:
            say(f"trained prior {prior}")
            on_trained = stein.score(solver, prior, model, samples or (16 if many else 32))
    calls, seconds = (cost.nfe_forward, cost.nfe_backward), time.perf_counter() - began
    return Certificate(plugin.label, given, kind, calls, scores, truths, patches, checks, quick, seconds, on_trained)


def _trained(solver: Solver, kind: Kind, weights: str) -> PriorModel:
    """Its prior, for a solver that the test suits. Raises SettingError for others."""
    if kind != "sample" or not solver.needs_prior or solver.denoises:
        raise SettingError("a trained prior is for samplers behind a blur: others draw nothing of its posterior")
    return stein.trained(weights)


def _oracles(solver: Solver) -> tuple[gaussian.Oracle, ...]:
    """A solver with a prior of its own is shown on the first ones; nothing is judged there."""
    return (*gaussian.ORACLES, gaussian.COLOUR, *gaussian.HELD_OUT) if solver.needs_prior else gaussian.ORACLES


def declared(solver: Solver) -> Kind:
    """What a solver says it is: "other" without the prior, "point" if deterministic or its ``point`` is true."""
    if not solver.needs_prior:
        return "other"
    return "point" if solver.point or not solver.stochastic else "sample"


def _suitable(solver: Solver) -> np.ndarray | None:
    """The oracle's blur (None), or no blur at all for a solver that removes noise alone."""
    return np.ones((1, 1)) if solver.denoises else None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Transforms of 64 × 64 pixels are too small to share, and results shall not depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
