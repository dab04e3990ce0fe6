"""Several sources in one recipe, and colours that are changed: study 004's mixes and its augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import DataError, RecipeError
from bench.train.data import pairs
from bench.train.data.alter import recolour
from bench.train.data.images import batch, load
from bench.train.recipe.base import Augment, Source
from bench.train.recipe.read import read
from bench.train.recipe.restoration import RestorerRecipe
from tests import training
from tests.restoration import write_recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.write_images(tmp_path_factory.mktemp("images"))


# --- mixes ----------------------------------------------------------------------------------------------------


def test_every_source_of_a_mix_has_its_share_however_many_images_it_has(root: Path) -> None:
    mix = Source(mix=(Source(path="train"), Source(path="val", share=3, repeat={"val_0": 2})))
    images = load(mix, 8, root)
    assert len(images) == 6 + 3
    assert images.shares[:6] == pytest.approx(np.full(6, 0.25 / 6))
    assert images.shares[6:] == pytest.approx([0.75 / 2, 0.75 / 4, 0.75 / 4])
    assert [p.shape for p in images.pixels] == list(images.shapes)
    assert np.array_equal(images.pixels[6], load(Source(path="val"), 8, root).pixels[0])
    assert batch(images, Augment(), 8, 5, (0, 0)).shape == (5, 1, 8, 8)
    with pytest.raises(IndexError):
        images.pixels[9]


def test_a_folder_and_a_dataset_are_mixed(root: Path) -> None:
    drawn = Source(dataset="phantoms", settings={"size": 32, "margin": 0, "limit": 2})
    assert len(load(Source(mix=(Source(path="train"), drawn)), 8, root)) == 8


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two sequences of GoPro in bright gray, three shots of RSBlur in dark gray."""
    for s in ("a", "b"):
        for kind in ("sharp", "blur"):
            save(tmp_path / f"gopro/{s}/{kind}/000001.png", np.full((24, 24), 200, np.uint8))
    for i in range(3):
        for file in ("gt/gt_sharp.png", "real_blur/real_blur.png"):
            save(tmp_path / f"rsblur/scene/{i:04d}/{file}", np.full((24, 24), 40, np.uint8))
    return tmp_path


MIXED: dict[str, Any] = {
    "mix": [{"path": "gopro", "layout": "gopro", "share": 1}, {"path": "rsblur", "layout": "rsblur", "share": 3}]
}


def mixed(tmp_path: Path, **changes: Any) -> RestorerRecipe:
    data = {"train": MIXED, "val": {"path": "rsblur", "layout": "rsblur"}, "credits": ["made here"]}
    plan = read(write_recipe(tmp_path / "r.yaml", **{"data": data, "degradation": None, "batch": 200, **changes}))
    assert isinstance(plan, RestorerRecipe)
    return plan


def test_gopro_and_rsblur_are_mixed_by_their_shares(recorded: Path) -> None:
    some = pairs.load(mixed(recorded), "train", recorded)
    sharp, blurred = some.batch((0, 0))
    assert np.array_equal(sharp, blurred)
    bright = (sharp.mean((1, 2, 3)) > 0.5).mean()
    assert bright == pytest.approx(0.25, abs=0.1)  # of 200 draws; three deviations are 0.09


def test_a_limit_takes_so_many_recorded_pairs(recorded: Path) -> None:
    data = {"train": {"path": "rsblur", "layout": "rsblur", "limit": 2}, "val": {"path": "rsblur"}, "credits": ["x"]}
    plan = mixed(recorded, data=data, pairs={"layout": "rsblur"})
    assert len(pairs.load(plan, "train", recorded)) == 2
    assert len(pairs.load(plan, "val", recorded)) == 3


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"mix": [{"path": "a"}], "path": "b"}, "either path"),
        ({"mix": [{"mix": [{"path": "a"}]}]}, "no mixes"),
        ({"mix": [{"path": "a", "share": 0}]}, "data.train.mix.0.share"),
        ({"mix": [{"path": "a", "layout": "gopro"}, {"path": "b", "layout": "images"}]}, "need a degradation"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(tmp_path: Path, source: Any, text: str) -> None:
    data = {"train": source, "val": {"path": "v", "layout": "gopro"}, "credits": ["made here"]}
    with pytest.raises(RecipeError, match=text):
        mixed(tmp_path, data=data)


def test_a_source_of_a_mix_without_images_is_named(recorded: Path) -> None:
    with pytest.raises(DataError, match="absent"):
        load(Source(mix=(Source(path="gopro"), Source(path="absent"))), 8, recorded)


# --- colours --------------------------------------------------------------------------------------------------

NAMES = [("jitter",), ("autoaugment",), ("jitter", "autoaugment")]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("names", NAMES, ids="+".join)
def test_frames_of_a_pair_are_changed_alike_and_as_their_generator_says(names: Any, channels: int) -> None:
    one = np.random.default_rng(0).integers(0, 256, (16, 20, channels), dtype=np.uint8)
    pair = np.concatenate([one, one], -1)
    state = torch.get_rng_state()
    changed = [recolour(pair, names, channels, np.random.default_rng(seed)) for seed in (1, 1, 2, 3, 4, 5)]
    assert torch.equal(torch.get_rng_state(), state)  # the trainer's own draws are untouched
    assert all(c.shape == pair.shape and c.dtype == np.uint8 for c in changed)
    assert all(np.array_equal(c[..., :channels], c[..., channels:]) for c in changed)
    assert np.array_equal(changed[0], changed[1])
    assert any(not np.array_equal(c, pair) for c in changed)


def test_a_recipe_may_ask_for_them(recorded: Path) -> None:
    plain, changed = (
        pairs.load(mixed(recorded, batch=20, augment={"scale_share": 0, "colour": c}), "train", recorded)
        for c in ([], ["jitter"])
    )
    (x, y), (a, b) = plain.batch((0, 0)), changed.batch((0, 0))
    assert a.shape == x.shape
    assert np.array_equal(a, b)
    assert np.array_equal(x, y)
    assert len(np.unique(a)) > len(np.unique(x))
