"""Trainings of colour pictures: every kind takes two steps, and restores the three channels together."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from bench.contracts import NoiseLevel
from bench.imaging.measure import Measurement
from bench.methods.diffusion.error_spectrum import ErrorPower
from bench.methods.make_problem import assemble
from bench.methods.networks import weights
from bench.methods.networks.unet import UNetConfig
from bench.methods.problem import Problem
from bench.train import session
from bench.train.calibrate import calibration
from bench.train.card import export
from bench.train.data.alter import alter
from bench.train.recipe.base import Alteration
from bench.train.recipe.prior import Recipe
from bench.train.recipe.read import read
from tests import restoration, training
from tests.make_solver import made
from tests.restoration import CONVIR, INFORMED, RESIDUAL, SWINIR, UNET

pytestmark = pytest.mark.usefixtures("one_thread")

COLOURS = {"image_channels": 3}


def network(config: Any) -> dict[str, Any]:
    """The configuration on three channels, predictor and all."""
    plain = config.model_dump(mode="json") | COLOURS
    return plain | ({"predictor": plain["predictor"] | COLOURS} if plain.get("predictor") else {})


KINDS: dict[str, dict[str, Any]] = {
    "convir": {"network": network(CONVIR)},
    "swinir": {"network": network(SWINIR), "loss": {"name": "charbonnier"}},
    "conditional_dm": {"kind": "conditional", "network": network(UNET)},
    "conditional_residual": {"kind": "conditional", "network": network(RESIDUAL)},
    "conditional_wiener": {"kind": "conditional", "network": network(INFORMED)},
}
RES_UNET = {"kind": "res_unet", "channels": [8, 8], "blocks": [1, 1], "space_to_depth": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth random colour pictures of 20 × 24 pixels."""
    folder, rng = tmp_path_factory.mktemp("colour"), np.random.default_rng(0)
    for part, n in (("train", 4), ("val", 3)):
        (folder / part).mkdir()
        for i in range(n):
            coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
            coarse.resize((24, 20), Image.Resampling.BICUBIC).save(folder / part / f"{i}.png")
    return folder


def problem(y: np.ndarray, blind: bool) -> Problem:
    measured = [Measurement(y=y, truth=y, psf=np.ones((3, 3)) / 9, T=1.0, level=NoiseLevel(0.0, 0.02))]
    return assemble(measured, [np.random.default_rng(0)], blind=blind)


@pytest.mark.parametrize("name", KINDS)
def test_a_restorer_of_colours_is_trained_and_restores_them_together(name: str, root: Path, tmp_path: Path) -> None:
    recipe = restoration.write_recipe(tmp_path / "r.yaml", **KINDS[name])
    best = session.run(recipe, tmp_path / "out", data_root=root, steps=2)
    with Image.open(tmp_path / "out" / "restorations.png") as image:
        assert image.mode == "RGB"
    file = tmp_path / "w.safetensors"
    assert json.loads(export(best, file).read_text())["network"]["image_channels"] == 3
    solver_name = "conditional_dm" if name == "conditional_residual" else name
    solver = made(solver_name, weights=str(file), **({} if name in ("convir", "swinir") else {"steps": 2}))
    rng = np.random.default_rng(1)
    y = rng.random((3, 16, 16))
    other = y.copy()
    other[2] = rng.random((16, 16))  # another blue
    with torch.no_grad():
        given = problem(y, solver.blind)
        x, z = solver.solve(given), solver.solve(problem(other, solver.blind))
    assert x.shape == (1, 3, 16, 16)
    assert given.cost.nfe_forward <= 3  # of all channels at once
    if name != "swinir":  # which begins as the identity
        assert (x - z)[:, :2].abs().max() > 1e-6  # red and green see the blue


@pytest.mark.parametrize("config", [training.TINY["network"], RES_UNET], ids=["unet2d", "res_unet"])
def test_a_prior_of_colours_is_trained_validated_and_loaded(
    config: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    """With pictures of samples and reconstructions, where a colour prior once failed."""
    validation = {"every": 2, "sigmas": [25], "samples": 2, "sample_steps": 2}
    recipe = training.write_recipe(
        tmp_path / "r.yaml",
        network=deepcopy(config) | COLOURS,
        validation=validation,
        augment={"one_of": ["salt_and_pepper"]},
    )
    best = session.run(recipe, tmp_path / "out", data_root=root, steps=2)
    prior = weights.load(best)
    assert prior.channels == 3
    t = torch.tensor([10.0])
    assert prior.x0(torch.zeros(1, 3, 8, 8), t).shape == (1, 3, 8, 8)
    with Image.open(tmp_path / "out" / "samples.png") as image:
        assert image.mode == "RGB"


def test_an_exported_prior_of_colours_has_an_error_spectrum_of_each_opponent_colour(
    root: Path, tmp_path: Path
) -> None:
    recipe = training.write_recipe(tmp_path / "r.yaml", network=RES_UNET | COLOURS)
    best = session.run(recipe, tmp_path / "out", data_root=root, steps=1)
    plan = read(recipe)
    assert isinstance(plan, Recipe)
    C = ErrorPower.of(calibration(best, plan, root))(0.1, (8, 8), torch.zeros(1))
    assert C.shape == (3, 8, 5)
    assert 0 < C.min() <= C.max() <= 0.1**2 * (1 + 1e-6)


def test_pictures_have_one_channel_or_three() -> None:
    with pytest.raises(ValidationError, match="1 or 3"):
        UNetConfig.model_validate(training.TINY["network"] | {"image_channels": 2})


@pytest.mark.parametrize("name", ["rotate_left", "flip", "gaussian", "salt_and_pepper", "brightness", "contrast"])
def test_an_alteration_of_a_colour_picture_is_one(name: Alteration) -> None:
    """Of a picture with three equal channels, salt and pepper stay gray, and the shape is that of the picture."""
    gray = np.random.default_rng(0).integers(0, 256, (12, 10), dtype=np.uint8)
    out = alter(np.stack([gray] * 3, -1), name, np.random.default_rng(1))
    assert out.shape == (12, 10, 3)
    if name != "gaussian":
        assert np.array_equal(out[..., 0], out[..., 2])
