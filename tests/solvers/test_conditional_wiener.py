"""The conditional diffusion that knows the blur: what it sees in training and when it solves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.contracts import NoiseLevel
from bench.errors import SettingError
from bench.imaging.blur import Blur
from bench.methods.classical.wiener import wiener
from bench.methods.networks.restoration_weights import load_conditional
from bench.methods.networks.sample import Sampler
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin
from bench.seeds import generator
from bench.testing import check_solver
from bench.train.data import pairs
from bench.train.recipe.read import read
from bench.train.recipe.restoration import ConditionalRecipe
from tests.make_solver import made
from tests.restoration import CONDITIONAL, INFORMED, UNET, write_conditional, write_recipe
from tests.training import write_images

INFORMED_RECIPE = {"kind": "conditional", "network": INFORMED.model_dump(mode="json")}


@pytest.fixture(scope="module")
def informed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_conditional(tmp_path_factory.mktemp("weights") / "informed.safetensors", INFORMED)


def blurred(blind: bool = False, sigma: float = 0.02) -> Problem:
    """Noise behind a Gaussian kernel."""
    y = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    g = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    psf = torch.tensor(np.outer(g, g) / g.sum() ** 2)[None, None]
    blur, noise = Blur(psf, (24, 24), "valid"), NoiseLevel(torch.zeros(1).double(), torch.full((1,), sigma).double())
    return Problem(y, None if blind else blur, None if blind else noise, (generator("test"),))


def test_training_shows_the_estimate_of_the_wiener_filter_and_it_is_nearer_the_truth(tmp_path: Path) -> None:
    root = write_images(tmp_path)
    rng = np.random.default_rng(0)
    for i in range(4):  # steps from dark to bright, which blur hurts
        Image.fromarray(np.kron(rng.integers(0, 256, (9, 9)), np.ones((8, 8))).astype(np.uint8)).save(
            root / f"train/sharp{i}.png"
        )
    blur = {"margin": 6, "blur": [{"disk": {"radius": 3}}], "noise": [{"poisson_gaussian": {"lam": 1e6}}]}

    def batch(**changes: object) -> tuple[np.ndarray, ...]:
        recipe = read(write_recipe(tmp_path / "r.yaml", degradation=blur, batch=8, size=48, **changes))
        assert isinstance(recipe, ConditionalRecipe)
        return pairs.load(recipe, "train", root).batch((0,))

    x, seen = batch(**INFORMED_RECIPE)
    _, y = batch(**CONDITIONAL)
    assert np.array_equal(seen[:, :1], y)
    inside = np.s_[..., 10:-10, 10:-10]  # what lies outside the picture is unknown
    assert ((seen[:, 1:] - x)[inside] ** 2).mean() < 0.6 * ((y - x)[inside] ** 2).mean()


def test_an_informed_network_sees_what_the_wiener_solver_returns(informed: Path) -> None:
    p = blurred()
    plan: Any = made("conditional_wiener", steps=1, patch=24, overlap=0, weights=str(informed))
    sampler = Sampler(p, load_conditional(informed).double(), plan)
    (condition,) = sampler.conditions
    expected = load_plugin(find_plugin("solver", "wiener"))().solve(p).clamp(0, 1)  # type: ignore[attr-defined] - a solver
    assert torch.allclose((condition.given[:, 1:2] + 1) / 2, expected, atol=1e-12)
    assert torch.allclose((condition.given[:, :1] + 1) / 2, p.y, atol=1e-12)


def test_it_conforms_to_the_contract(informed: Path) -> None:
    check_solver("conditional_wiener", {"steps": 2, "overlap": 8, "weights": str(informed)})


def test_blind_and_informed_weights_are_not_mistaken_for_each_other(informed: Path, tmp_path: Path) -> None:
    blind = write_conditional(tmp_path / "blind.safetensors", UNET)

    def solve(name: str, weights: Path, problem: Problem) -> None:
        load_plugin(find_plugin("solver", name))(weights=str(weights)).solve(problem)  # type: ignore[call-arg, attr-defined]

    with pytest.raises(SettingError, match="use conditional_dm"):
        solve("conditional_wiener", blind, blurred())
    with pytest.raises(SettingError, match="use conditional_wiener"):
        solve("conditional_dm", informed, blurred(blind=True))


def test_the_shared_filter_is_the_posterior_mean_of_a_flat_gaussian_prior_on_a_torus() -> None:
    """With P = 1 and scale s it is (KᵀK + σ²/s)⁻¹ Kᵀ y, solved here as a dense system."""
    p = blurred(sigma=0.1)
    blur = Blur(p.blur.psf, (24, 24), "circular")
    circular = Problem(p.y - p.y.mean(), blur, p.noise, p.rng)
    x = wiener(circular, "flat")
    e = torch.eye(576, dtype=torch.float64).reshape(576, 1, 24, 24)
    K = torch.cat([blur.A(e[i : i + 1]).reshape(1, -1) for i in range(576)]).T
    r, estimate = (K.T @ (circular.y.reshape(-1) - K @ x.reshape(-1))), x.reshape(-1)
    ratio = (r @ estimate) / (estimate @ estimate)  # = σ²/s where (K^T K + σ²/s) x = K^T y
    assert torch.allclose(r, ratio * estimate, atol=1e-10)
    assert ratio > 0


def test_recorded_pairs_cannot_teach_an_informed_network(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no PSF"):
        read(write_recipe(tmp_path / "r.yaml", **INFORMED_RECIPE, degradation=None, pairs={"layout": "gopro"}))
