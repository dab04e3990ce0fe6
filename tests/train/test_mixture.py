"""Fitting a mixture of Gaussians to patches: what expectation maximisation owes, and the way to a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image as Pil
from torch import Tensor
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import RecipeError, WeightsError
from bench.methods.diffusion.levels import at_sigma
from bench.methods.networks import weights
from bench.methods.networks.mixture_file import load_mixture
from bench.plugins.weights import find_weights
from bench.train.mixture import ROUNDING, fit
from bench.train.recipe.mixture import MixtureRecipe
from bench.train.recipe.read import read, read_any

SIDE = 4
RECIPES = Path(__file__).parents[2] / "recipes"


def recipe(**changes: Any) -> dict[str, Any]:
    data = {"train": {"path": "pictures"}, "val": {"path": "pictures"}, "credits": ["drawn"]}
    own = {"name": "tiny", "summary": "Tiny.", "size": SIDE, "patches": 3000, "components": 3, "iterations": 40}
    return {"kind": "mixture", "data": data, "tolerance": 1e-3, "calibration": 2, **own, **changes}


def drawn(covariances: Tensor, each: int) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    d = covariances.shape[-1]
    z = torch.cat([torch.randn(each, d, generator=rng).double() @ torch.linalg.cholesky(c).T for c in covariances])
    return z - z.mean(1, keepdim=True) + 0.3 * torch.randn(len(z), 1, generator=rng).double()


def truth() -> Tensor:
    """Three covariances of patches of 4 x 4, of unlike shapes and sizes."""
    i = torch.arange(SIDE**2)
    v, h = i // SIDE, i % SIDE
    rows, columns = (torch.exp(-((c[:, None] - c) ** 2) / 1.5).double() for c in (v, h))
    eye = torch.eye(SIDE**2, dtype=torch.float64)
    return torch.stack([0.25 * rows + 0.01 * eye, 0.25 * columns + 0.01 * eye, 1e-3 * eye])


def test_one_component_is_the_covariance_of_the_patches_less_their_mean() -> None:
    x = drawn(truth(), 500)
    mixture = fit(x, MixtureRecipe.model_validate(recipe(components=1, iterations=1)))
    z = x - x.mean(1, keepdim=True)
    centring = torch.eye(SIDE**2).double() - 1 / SIDE**2
    torch.testing.assert_close(mixture.covariances[0], z.T @ z / len(z) + ROUNDING * centring)
    assert mixture.mean == pytest.approx(float(x.mean()), abs=1e-6)
    assert mixture.variance == pytest.approx(float(x.mean(1).var()), rel=1e-6)


def test_the_likelihood_never_falls_and_the_mixture_that_drew_the_patches_is_recovered() -> None:
    x = drawn(truth(), 2000)
    mixture = fit(x, MixtureRecipe.model_validate(recipe()))
    assert (np.diff(mixture.log_likelihood) > -1e-6).all()
    torch.testing.assert_close(mixture.shares, torch.full((3,), 1 / 3).double(), atol=0.02, rtol=0)
    centring = torch.eye(SIDE**2).double() - 1 / SIDE**2
    wanted = centring @ truth() @ centring
    gaps = (mixture.covariances[:, None] - wanted).norm(dim=(2, 3)) / wanted.norm(dim=(1, 2))
    assert gaps.min(0).values.max() < 0.15


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        rough = np.random.default_rng(i).random((72, 72))
        smooth = sum(np.roll(rough, (a, b), (0, 1)) for a in range(3) for b in range(3)) / 9
        Pil.fromarray(np.rint(255 * np.asarray(smooth)).astype(np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path


def trained(folder: Path, *words: str, **changes: Any) -> Path:
    (folder / "tiny.yaml").write_text(yaml.safe_dump(recipe(**changes)), encoding="utf-8")
    target = folder / "tiny.safetensors"
    words = ("train", "tiny.yaml", "--out", "out", "--export", str(target), *words)
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None:
        raise done.exception
    return target


def test_bench_train_fits_a_mixture_and_the_same_recipe_gives_the_same_file(folder: Path) -> None:
    first = trained(folder).read_bytes()
    card = weights.read(folder / "tiny.safetensors")[1]
    model = load_mixture(folder / "tiny.safetensors")
    assert model.error_power(0.1, (16, 16), torch.zeros(1)) is not None
    assert set(card["validation"]) == {"psnr_10", "psnr_25", "psnr_50"}
    x = torch.rand(1, 1, 16, 16)
    assert torch.isfinite(model.x0(x, torch.tensor([at_sigma(model.schedule, 0.1).t]))).all()
    again, stored = weights.read(trained(folder)), first
    assert {k: v for k, v in again[1].items() if k != "processor_minutes"} == {
        k: v for k, v in card.items() if k != "processor_minutes"
    }
    (folder / "first.safetensors").write_bytes(stored)
    for name, tensor in weights.read(folder / "first.safetensors")[0].items():
        assert torch.equal(tensor, again[0][name])


def test_what_a_mixture_cannot_have_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match="device"):
        trained(folder, "--device", "cuda")
    for option in ("--resume", "--tensorboard"):
        with pytest.raises(RecipeError, match="in one go"):
            trained(folder, option)
    with pytest.raises(RecipeError, match="components"):
        trained(folder, components=0)
    with pytest.raises(WeightsError, match="not of a mixture"):
        load_mixture(find_weights("photos"))


@pytest.mark.skipif(not RECIPES.is_dir(), reason="there are no recipes beside the tests")
def test_the_shipped_recipe_is_one_of_a_mixture() -> None:
    path = RECIPES / "patch_gmm.yaml"
    recipe = read_any(path, {"patches": 7}, steps=3)
    assert isinstance(recipe, MixtureRecipe)
    assert (recipe.size, recipe.patches, recipe.iterations) == (8, 7, 3)
    with pytest.raises(RecipeError, match="not trained by steps"):
        read(path)
