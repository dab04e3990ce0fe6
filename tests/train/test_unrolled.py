"""Training of an unrolled solver: what it is fed, that it is resumed to the last bit, that it learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import DataError, RecipeError
from bench.methods.networks import prior, weights
from bench.methods.networks.restoration_weights import load_unrolled
from bench.train import checkpoint, session
from bench.train.card import export
from bench.train.data import pairs
from bench.train.data.feed import tensors
from bench.train.data.scenes import Scenes, square
from bench.train.history import History
from bench.train.kinds.unrolled import seen_of
from bench.train.recipe.read import read
from bench.train.recipe.restoration import UnrolledRecipe
from bench.train.session import initial_state
from tests.restoration import write_recipe
from tests.solvers.test_unrolled import CONFIG, DENOISER
from tests.training import write_images

pytestmark = pytest.mark.usefixtures("one_thread")

QUIET = [{"poisson_gaussian": {"lam": float("inf"), "sigma": 0.01}}]
UNROLLED: dict[str, Any] = {
    "kind": "unrolled",
    "size": 20,
    "network": CONFIG.model_dump(mode="json"),
    "degradation": {"blur": [{"linear": {"length": 2.5, "angle": 20}}, "identity"], "noise": QUIET},
    "validation": {"every": 5, "crops": 3, "pictures": 2},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def recipe(path: Path, **changes: Any) -> UnrolledRecipe:
    plan = read(write_recipe(path / "r.yaml", **UNROLLED | changes))
    assert isinstance(plan, UnrolledRecipe)
    return plan


def test_the_scene_that_training_shows_explains_the_measurement_up_to_the_noise(tmp_path: Path, root: Path) -> None:
    """Kernel, mask and measurement lie where the solver expects them: y - M K x is the noise, 0.01 grey levels."""
    scenes = pairs.load(recipe(tmp_path), "train", root, Scenes)
    scene, *given = tensors(scenes.batch((0, 1)))
    seen = seen_of(*given)
    assert {p.shape for p in (scene, *given)} == {(4, 1, 20, 20)}
    assert float(seen.residual(2 * scene - 1).abs().max()) < 6 * 2 * 0.01 / 255
    assert float(seen.mean_variance.sqrt().max()) < 2 * 0.03 / 255
    assert not seen.whole


def test_a_blur_that_leaves_nothing_to_see_is_an_error(tmp_path: Path, root: Path) -> None:
    wide = {"blur": [{"disk": {"radius": 7}}], "noise": QUIET}
    with pytest.raises(DataError, match="leaves nothing of a scene of size: 20"):
        pairs.load(recipe(tmp_path, degradation=wide), "train", root, Scenes).batch((0,))


def test_a_kernel_on_its_square_keeps_its_centre() -> None:
    assert np.array_equal(square(np.array([[1.0, 2, 3]])), [[0, 0, 0], [1, 2, 3], [0, 0, 0]])


def test_recorded_pairs_and_wrapped_scenes_are_refused(tmp_path: Path) -> None:
    around = UNROLLED["degradation"] | {"boundary": "circular"}
    for changes in ({"degradation": around}, {"degradation": None, "pairs": {"layout": "gopro"}}):
        with pytest.raises(RecipeError, match="learns from sharp images"):
            recipe(tmp_path, **changes)
    with pytest.raises(RecipeError, match="multiple of the network's stride 4"):
        recipe(tmp_path, size=18)


def test_it_is_resumed_to_the_last_bit_and_its_weights_say_what_they_are(tmp_path: Path, root: Path) -> None:
    path = write_recipe(tmp_path / "r.yaml", **UNROLLED, optimiser={"lr": 2e-3, "end": "wsd", "decay": 1})
    best = session.run(path, tmp_path / "whole", data_root=root)
    session.run(path, tmp_path / "parts", data_root=root, steps=5)
    session.run(path, tmp_path / "parts", data_root=root, resume=True)
    whole, parts = (checkpoint.read(tmp_path / f"{d}/last.safetensors")[0] for d in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    card = json.loads(export(best, tmp_path / "w.safetensors").read_text())
    assert card["kind"] == "unrolled"
    assert card["degradation"]["noise"] == [{"poisson_gaussian": {"lam": "inf", "sigma": 0.01}}]
    assert load_unrolled(tmp_path / "w.safetensors").config == CONFIG
    assert (tmp_path / "whole/restorations.png").is_file()


def test_it_starts_from_a_prior_or_from_itself_and_from_nothing_else(tmp_path: Path) -> None:
    schedule = {"name": "linear", "steps": 1000}
    given = prior.build(DENOISER, schedule, "v")
    card = {"network": DENOISER.model_dump(mode="json"), "schedule": schedule, "prediction": "v"}
    file = tmp_path / "prior.safetensors"
    file.write_bytes(weights.encode(given.network.state_dict(), card, torch.float32))
    started = initial_state(recipe(tmp_path, init=str(file)), torch.device("cpu")).model.network
    assert torch.equal(started.denoiser.tail.weight, given.network.state_dict()["tail.weight"])
    wider = DENOISER.model_copy(update={"channels": (8, 24)})
    network = CONFIG.model_copy(update={"denoiser": wider}).model_dump(mode="json")
    with pytest.raises(RecipeError, match="holds another network"):
        initial_state(recipe(tmp_path, init=str(file), network=network), torch.device("cpu"))


def test_a_short_training_takes_a_tenth_of_the_squared_error_away(tmp_path: Path, root: Path) -> None:
    noise = [{"poisson_gaussian": {"lam": float("inf"), "sigma": 8}}]
    changes = {
        "degradation": {"blur": [{"disk": {"radius": 1.5}}], "noise": noise},
        "optimiser": {"lr": 5e-3, "warmup": 5, "end": "cosine", "clip": 10.0},
        "ema": 0.9,
        "batch": 8,
        "steps": 60,
        "validation": {"every": 60, "crops": 3, "pictures": 0},
    }
    path = write_recipe(tmp_path / "r.yaml", **UNROLLED | changes)
    plan = read(path)
    lesson = session.lesson_of(plan)
    lesson.open(root)
    before = lesson.validate(initial_state(plan, torch.device("cpu")).average)["val_loss"]
    session.run(path, tmp_path / "out", data_root=root)
    after = float(History(tmp_path / "out/history.csv", []).rows()[-1]["val_loss"])
    assert after < 0.9 * before
