"""What training is fed: recipes, images, alterations, noise levels, rates."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.errors import DataError, RecipeError
from bench.methods.diffusion.schedule import Schedule
from bench.train import validate
from bench.train.data import images as images_module
from bench.train.data.alter import alter
from bench.train.data.images import OnDisk, batch, load
from bench.train.losses import Balance, draw_times, frequency_loss
from bench.train.recipe.base import Alteration, Augment, NoiseConfig, Optimiser, Source
from bench.train.recipe.read import read, read_any
from bench.train.state import learning_rate
from tests.training import write_images, write_recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


# --- noise levels, loss, rate ---------------------------------------------------------------------------------


def test_the_rate_warms_up_stays_and_decays_to_zero():
    o = Optimiser(lr=1.0, warmup=9, decay=10, end="wsd")
    rates = [learning_rate(o, n, 100) for n in range(101)]
    assert rates[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert set(rates[10:91]) == {1.0}
    assert rates[95] == pytest.approx(1 - math.sqrt(0.5))
    assert rates[100] == 0


def test_the_cosine_rate_is_half_in_the_middle_and_zero_at_the_end():
    o = Optimiser(lr=1.0, warmup=0, end="cosine")
    assert [learning_rate(o, n, 100) for n in (0, 50, 100)] == pytest.approx([1, 0.5, 0], abs=1e-12)


def test_warm_restarts_begin_every_period_anew():
    o = Optimiser(lr=1.0, warmup=0, end="warm_restarts", period=10)
    assert [learning_rate(o, n, 100) for n in (0, 5, 10, 25)] == pytest.approx([1, 0.5, 1, 0.5])


def test_the_frequency_loss_ignores_shifts_and_sees_a_change_of_scale():
    """|F| is invariant to circular shifts; for an impulse, scaled by 3, the magnitudes differ by 2 everywhere."""
    impulse = torch.zeros(1, 1, 8, 8)
    impulse[..., 2, 3] = 1
    assert float(frequency_loss(impulse.roll((1, 4), (-2, -1)), impulse)) == pytest.approx(0, abs=1e-6)
    assert float(frequency_loss(3 * impulse, impulse)) == pytest.approx(2, rel=1e-6)


def test_balanced_weights_make_every_noise_level_count_alike():
    """Errors of each level, divided by their running mean, average one, whatever their size."""
    schedule = Schedule.make("linear")
    balance, rng = Balance(schedule, memory=0.99), np.random.default_rng(0)
    sigma = torch.logspace(-2, 2, 16, dtype=torch.float64)
    for _ in range(2000):
        errors = torch.from_numpy(rng.exponential(size=16)) * 1e-3 * sigma
        balance.update(sigma, errors)
    assert torch.allclose(balance.weights(sigma) * 1e-3 * sigma, torch.ones(16, dtype=torch.float64), atol=0.4)


def test_training_draws_noise_levels_from_the_log_normal_of_the_recipe():
    schedule = Schedule.make("linear")
    t = draw_times(schedule, NoiseConfig(log_mean=-1.0, log_std=0.5, uniform=0.0), 20000, (0, 0))
    logs = schedule.sigma(t).log()
    assert float(logs.mean()) == pytest.approx(-1.0, abs=0.02)
    assert float(logs.std()) == pytest.approx(0.5, abs=0.02)
    uniform = draw_times(schedule, NoiseConfig(uniform=1.0), 20000, (0, 0))
    assert float(uniform.mean()) == pytest.approx(999 / 2, rel=0.02)


# --- data -----------------------------------------------------------------------------------------------------


def test_a_batch_is_a_function_of_its_key_alone(root):
    images = load(Source(path="train"), 8, root)
    one, same, other = (batch(images, Augment(), 8, 5, (0, step)) for step in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.shape == (5, 1, 8, 8)
    assert one.min() >= -1
    assert one.max() <= 1


def test_without_augmentation_every_crop_is_a_piece_of_an_image(root):
    images = load(Source(path="train"), 8, root)
    crops = batch(images, Augment(flips=(), scale_share=0), 8, 10, (0, 0))
    windows = [np.lib.stride_tricks.sliding_window_view(p, (8, 8)).reshape(-1, 64) for p in images.pixels]
    known = {w.tobytes() for w in np.concatenate(windows)}
    assert all(np.rint((c + 1) * 127.5).astype(np.uint8).tobytes() in known for c in crops)


GRADIENT = np.tile(np.linspace(40, 160, 64).astype(np.uint8), (64, 1))


def altered(name: Alteration, pixels: np.ndarray = GRADIENT) -> np.ndarray:
    out = alter(pixels, name, np.random.default_rng(0))
    assert out.shape == pixels.shape
    assert out.dtype == np.uint8
    return out.astype(float)


def test_the_alterations_of_study_000_do_what_their_names_say():
    before = GRADIENT.astype(float)
    assert np.array_equal(altered("none"), before)
    assert np.array_equal(altered("flip"), before[:, ::-1])
    assert altered("brightness") == pytest.approx(1.2 * before, abs=1)
    assert altered("contrast").std() == pytest.approx(1.3 * before.std(), rel=0.02)
    assert altered("contrast").mean() == pytest.approx(before.mean(), abs=1)
    assert (altered("gaussian") - before).std() == pytest.approx(10, rel=0.05)
    assert np.mean(altered("salt_and_pepper") != before) == pytest.approx(0.02, abs=0.006)


def test_rotations_turn_by_five_degrees_in_opposite_senses():
    """The gradient of a turned ramp, away from the borders, points 5° up or down."""
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    turns: dict[Alteration, float] = {"rotate_left": 5, "rotate_right": -5}
    for name, angle in turns.items():
        dy, dx = (g[16:48, 16:48].mean() for g in np.gradient(altered(name, ramp)))
        assert math.degrees(math.atan2(-dy, dx)) == pytest.approx(angle, abs=0.4)


def test_resize_takes_whole_images_to_the_training_size(root):
    images = load(Source(path="train"), 12, root, resize=True)
    assert {p.shape for p in images.pixels} == {(12, 12)}


def test_repeat_multiplies_the_share_of_the_images_that_match(root):
    images = load(Source(path="train", repeat={"train_0": 3}), 8, root)
    assert images.shares[0] == pytest.approx(3 * images.shares[1])
    assert images.shares.sum() == pytest.approx(1)


def test_a_limit_takes_images_spread_over_the_names(root):
    assert load(Source(path="train", limit=2), 8, root).names == ("train_0", "train_5")


@pytest.mark.parametrize("resize", [False, True])
def test_images_that_would_fill_the_memory_are_read_when_drawn_and_give_the_same_batches(root, resize, monkeypatch):
    here = load(Source(path="train", repeat={"train_0": 3}), 12, root, resize=resize)
    monkeypatch.setattr(images_module, "MEMORY", 100)
    there = load(Source(path="train", repeat={"train_0": 3}), 12, root, resize=resize)
    assert isinstance(there.pixels, OnDisk)
    assert np.array_equal(here.shares, there.shares)
    plan = Augment(resize=resize)
    assert np.array_equal(batch(here, plan, 12, 4, (0, 1)), batch(there, plan, 12, 4, (0, 1)))


def test_images_too_small_missing_or_corrupt_are_named(root, tmp_path):
    with pytest.raises(DataError, match="none of its 6 images has sides of at least 64"):
        load(Source(path="train"), 64, root)
    with pytest.raises(DataError, match="there is no folder"):
        load(Source(path="absent"), 8, root)
    with pytest.raises(DataError, match="holds no images"):
        load(Source(path="."), 8, tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        load(Source(path="."), 8, tmp_path)


def test_validation_of_the_noisy_crops_themselves_gives_the_psnr_of_the_noise(root):
    crops = np.zeros((20, 1, 32, 32), np.float32)
    assert validate.psnr(validate.noisy(crops, 25.5), crops) == pytest.approx(20.0, abs=0.1)


# --- recipes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"step": 5}, "step: extra inputs"),
        ({"batch": 0}, "batch: "),
        ({"size": 10}, "multiple of the network's stride 4"),
        ({"prediction": "x0"}, "'epsilon' or 'v'"),
        ({"data": {"train": {}, "val": {"path": "v"}, "credits": ["x"]}}, "data.train: .*either path"),
        ({"data": {"train": {"path": "t"}, "val": {"path": "v"}, "credits": []}}, "data.credits"),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_file_and_the_entry(tmp_path, changes, text):
    path = write_recipe(tmp_path / "wrong.yaml", **changes)
    with pytest.raises(RecipeError, match=rf"wrong.yaml: .*{text}"):
        read(path)


@pytest.mark.parametrize("content", [None, "a: [", "- 1\n- 2\n"])
def test_a_file_that_is_no_recipe_is_refused_by_name(tmp_path, content):
    path = tmp_path / "r.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        read(path)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("recipes/*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_can_be_read_and_holds_no_absolute_path(path: Path):
    recipe = read_any(path)
    assert not [s for s in (recipe.data.train.path, recipe.data.val.path) if s is not None and Path(s).is_absolute()]


def test_the_sha_of_a_recipe_changes_with_what_it_says_and_not_with_how(tmp_path):
    path = write_recipe(tmp_path / "a.yaml")
    sha = read(path).sha
    path.write_text("# a remark\n" + path.read_text())
    assert read(path).sha == sha
    assert read(write_recipe(tmp_path / "b.yaml", batch=5)).sha != sha
