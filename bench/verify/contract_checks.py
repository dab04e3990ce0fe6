"""What every plug-in must keep; ``bench.testing`` is the public door to these checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Cost, Dataset, Exposed, Image, Noise, NoiseLevel, Operator
from bench.errors import BenchError
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement, measure
from bench.imaging.psf import check_psf
from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem, Solver
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.seeds import generator
from bench.verify.oracles.colour import ColourPrior
from bench.verify.oracles.gaussian import GaussianPrior

#: How far a float64 estimate may move because its image rode in another batch.
ROUNDING = 1e-8

FAMILIES = ("reference", "filter", "variational", "library", "diffusion", "network")


# --- solvers --------------------------------------------------------------------------------------------------


def check_solver(
    name: str, settings: Mapping[str, Any] | None = None, *, base: Path | None = None, size: int = 32
) -> None:
    """Check a solver on small pictures: shapes, dtypes, boundaries, batch independence, determinism, no side effects.

    One that takes a prior gets a gray one, and one of colour pictures, which it may refuse with an error of
    ``bench.errors``.

    Args:
        name: a built-in name or a path to a file.
        settings: for instance fewer iterations, to be quick; defaults otherwise.
        base: the folder that a relative path starts from.
        size: side of the test pictures in pixels.
    """
    plugin = find_plugin("solver", name, base)
    solver = build(plugin, load_plugin(plugin), settings or {})
    assert isinstance(solver, Solver)
    _check_description(plugin)
    assert solver.family in FAMILIES, f"{name}: family must be one of {', '.join(FAMILIES)}, got {solver.family!r}"
    _check_batches(solver, name, size)
    cases: list[tuple[int, Boundary, torch.dtype]] = [(1, "circular", torch.float64), (3, "valid", torch.float32)]
    for channels, boundary, dtype in cases:
        x = _solve(solver, _problem(solver, [0, 1], size, boundary, dtype, channels))
        assert x.shape == (2, channels, size, size), (
            f"{name}: {boundary}, {channels} channels: shape {tuple(x.shape)}"
        )
        assert x.dtype == dtype, f"{name}: y is {dtype}, the estimate {x.dtype}"
        assert torch.isfinite(x).all(), f"{name}: non-finite values ({boundary}, {channels} channels)"
    if solver.needs_prior:
        _check_colour_prior(solver, name, size)


def _check_colour_prior(solver: Solver, name: str, size: int) -> None:
    """A prior of three channels is one of colour pictures; a solver may say that it takes none."""
    given = _problem(solver, [0], size, "circular", torch.float64, channels=3)
    given = given.replace(prior=Denoiser(ColourPrior(), given.cost))
    try:
        x = _solve(solver, given)
    except BenchError:
        return
    assert x.shape == given.y.shape, f"{name}: with a prior of three channels: shape {tuple(x.shape)}"
    assert torch.isfinite(x).all(), f"{name}: with a prior of three channels: non-finite values"


def _check_batches(solver: Solver, name: str, size: int) -> None:
    together = _problem(solver, [0, 1, 2], size, "valid", torch.float64)
    y = together.y.clone()
    x = _solve(solver, together)
    assert torch.equal(together.y, y), f"{name}: solve() changed problem.y"
    for i in (2, 0, 1):
        alone = _solve(solver, _problem(solver, [i], size, "valid", torch.float64))
        gap = (alone[0] - x[i]).abs().max().item()
        assert gap < ROUNDING, f"{name}: image {i} alone and within a batch of three differ by up to {gap:.3g}"
        if i == 0 and not solver.stochastic:
            other = _solve(solver, _problem(solver, [0], size, "valid", torch.float64, seed=1))
            assert torch.equal(other, alone), f"{name}: draws random numbers but does not declare stochastic = True"


def _solve(solver: Solver, problem: Problem) -> Tensor:
    with torch.no_grad():
        return solver.solve(problem)


def _problem(
    solver: Solver,
    images: Sequence[int],
    size: int,
    boundary: Boundary,
    dtype: torch.dtype,
    channels: int = 1,
    seed: int = 0,
) -> Problem:
    measurements = [_measurement(i, size, boundary, channels, blurred=not solver.denoises) for i in images]
    rngs = [generator("conformance", seed, i) for i in images]
    prior = _prior if solver.needs_prior else None
    return assemble(measurements, rngs, boundary=boundary, dtype=dtype, blind=solver.blind, prior=prior)


def _prior(cost: Cost) -> Denoiser:
    """The exact denoiser of Gaussian images: no weights, no network."""
    return Denoiser(GaussianPrior(), cost)


def _measurement(i: int, size: int, boundary: Boundary, channels: int, blurred: bool = True) -> Measurement:
    """A picture of a few boxes behind an asymmetric 5 x 7 kernel and 1 % noise, different for each ``i``."""
    rng = generator("conformance picture", i)
    scene = np.full((channels, size + 8, size + 8), 0.3)
    for _ in range(6):
        top, left, high, wide = rng.integers(2, size // 2, 4)
        scene[:, top : top + high, left : left + wide] = rng.random((channels, 1, 1))
    psf = rng.random((5, 7)) * (rng.random((5, 7)) > 0.6) + 1e-3 if blurred else np.ones((1, 1))
    return measure(Image(str(i), scene, 4), Exposed(psf / psf.sum()), _OnePercent(), rng, boundary)


class _OnePercent(Noise):
    def level(self, T: float) -> NoiseLevel:
        return NoiseLevel(0.0, 0.01 / T)

    def sample(self, clean: np.ndarray, T: float, rng: np.random.Generator) -> np.ndarray:
        return clean + self.level(T).sigma * rng.standard_normal(clean.shape)


# --- operators and noise --------------------------------------------------------------------------------------


def check_operator(name: str, settings: Mapping[str, Any] | None = None, *, base: Path | None = None) -> None:
    """Check a blur: odd sides, unit sum, non-negative, reproducible, and that ``random`` says the truth."""
    plugin = find_plugin("operator", name, base)
    operator = build(plugin, load_plugin(plugin), settings or {})
    assert isinstance(operator, Operator)
    _check_description(plugin)
    first, again, other = (operator.psf(generator("conformance", i)) for i in (0, 0, 1))
    check_psf(first.psf, name)
    assert 0 < first.T <= 1, f"{name}: the exposure must be within (0, 1], got {first.T}"
    assert np.array_equal(first.psf, again.psf), f"{name}: the same generator gave two different PSFs"
    varies = not np.array_equal(first.psf, other.psf)
    assert varies == operator.random, (
        f"{name}: random = {operator.random}, but its PSFs {'do' if varies else 'do not'} vary"
    )


def check_noise(name: str, settings: Mapping[str, Any] | None = None, *, base: Path | None = None) -> None:
    """Check a noise model: its samples have the mean of the clean picture and the variance that ``level`` tells."""
    plugin = find_plugin("noise", name, base)
    noise = build(plugin, load_plugin(plugin), settings or {})
    assert isinstance(noise, Noise)
    _check_description(plugin)
    n = 200_000
    for T in (1.0, 0.25):
        gain, sigma = noise.level(T)
        for mean in (0.2, 0.8):
            y = noise.sample(np.full((1, n), mean), T, generator("conformance", mean, T))
            variance = gain * mean + sigma**2
            assert abs(y.mean() - mean) <= 5 * np.sqrt(variance / n) + 1e-12, f"{name}: biased at {mean}, T = {T}"
            assert abs(y.var() - variance) <= 0.03 * variance, f"{name}: variance {y.var():g}, stated {variance:g}"


# --- datasets -------------------------------------------------------------------------------------------------


def check_dataset(name: str, settings: Mapping[str, Any] | None = None, *, base: Path | None = None) -> None:
    """Check a dataset: ids, shapes, range, reproducibility, fingerprints."""
    plugin = find_plugin("dataset", name, base)
    dataset = build(plugin, load_plugin(plugin), settings or {})
    assert isinstance(dataset, Dataset)
    _check_description(plugin)
    ids = list(dataset.ids())
    assert ids, f"{name}: no images"
    assert len(set(ids)) == len(ids), f"{name}: ids repeat"
    assert ids == list(dataset.ids()), f"{name}: the order of ids changes"
    for image_id in ids[:3]:
        image, again = dataset.load(image_id), dataset.load(image_id)
        scene = image.scene
        assert scene.dtype == np.float64, f"{name}: {image_id}: {scene.dtype}, not float64"
        assert scene.ndim == 3, f"{name}: {image_id}: a scene is (C, H, W), got {scene.shape}"
        assert scene.shape[0] in (1, 3), f"{name}: {image_id}: one channel or three, got {scene.shape[0]}"
        assert min(scene.shape[1:]) > 2 * image.margin, f"{name}: {image_id}: nothing is left within the margin"
        assert scene.min() >= 0, f"{name}: {image_id}: below 0"
        assert scene.max() <= 1, f"{name}: {image_id}: above 1"
        assert np.array_equal(scene, again.scene), f"{name}: {image_id}: two loads differ"
        first, second = dataset.fingerprint(image_id), dataset.fingerprint(image_id)
        assert first == second, f"{name}: {image_id}: the fingerprint changes"
    for a, b in pairwise(ids[:3]):
        fingerprint = dataset.fingerprint(a)
        assert fingerprint is None or fingerprint != dataset.fingerprint(b), (
            f"{name}: {a} and {b} share a fingerprint"
        )


def _check_description(plugin: Plugin) -> None:
    assert plugin.summary, f"{plugin.name}: its class has no docstring for bench list to show"
