"""Training: resumable to the last bit, honest when it fails."""

from __future__ import annotations

import errno
import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from bench.errors import RecipeError, TrainingError
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks import weights
from bench.methods.networks.prior import DiffusionPrior
from bench.train import checkpoint, loop, session, validate
from bench.train.card import export
from bench.train.data import images
from bench.train.data.feed import tensors as tensors_of
from bench.train.figures import ddim
from bench.train.history import History
from bench.train.kinds.base import Lesson
from bench.train.recipe.base import Source
from bench.train.recipe.read import read
from bench.train.session import initial_state, lesson_of, lock
from bench.train.state import State
from tests.training import TINY, write_images, write_recipe

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "tiny.yaml")


def run(recipe: Path, out: Path, root: Path, **kwargs: Any) -> Path:
    return session.run(recipe, out, data_root=root, **kwargs)


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(path)[0]


# --- resumption -----------------------------------------------------------------------------------------------


def test_a_training_interrupted_twice_ends_in_the_same_bits_as_one_that_was_not(recipe, tmp_path, root):
    """Also where the interruption falls between validations; the histories agree but for the times."""
    run(recipe, tmp_path / "whole", root)
    with asked_to_stop(signal.SIGTERM, after=4):
        run(recipe, tmp_path / "parts", root)
    with asked_to_stop(signal.SIGINT, after=7):
        run(recipe, tmp_path / "parts", root, resume=True)
    assert checkpoint.read(tmp_path / "parts/last.safetensors")[1]["step"] == 7
    run(recipe, tmp_path / "parts", root, resume=True)
    whole, parts = tensors(tmp_path / "whole/last.safetensors"), tensors(tmp_path / "parts/last.safetensors")
    assert whole.keys() == parts.keys()
    assert any(k.startswith("optimiser.") for k in whole)
    for name in whole:
        assert torch.equal(whole[name], parts[name]), name
    assert figures(tmp_path / "whole") == figures(tmp_path / "parts")


@contextmanager
def asked_to_stop(number: signal.Signals, after: int) -> Iterator[None]:
    """The process gets the signal in the middle of step ``after``."""
    real = loop.step

    def step(state: State, *args: Any) -> float:
        if state.step + 1 == after:
            os.kill(os.getpid(), number)
        return real(state, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "step", step)
        yield


def figures(out: Path) -> list[dict[str, str]]:
    rows = History(out / "history.csv", []).rows()
    return [{k: v for k, v in r.items() if not k.startswith("seconds")} for r in rows]


def test_more_steps_than_planned_go_on_from_where_the_rate_was_constant(recipe, tmp_path, root):
    """Trained to 12, then to 20, is the same as trained to 20: the decay of the first end leaves no trace."""
    run(recipe, tmp_path / "a", root)
    run(recipe, tmp_path / "a", root, resume=True, steps=20)
    run(recipe, tmp_path / "b", root, steps=20)
    a, b = tensors(tmp_path / "a/last.safetensors"), tensors(tmp_path / "b/last.safetensors")
    assert all(torch.equal(a[k], b[k]) for k in b)
    assert figures(tmp_path / "a") == figures(tmp_path / "b")


def test_finish_lets_the_rate_decay_from_the_last_checkpoint_on(recipe, tmp_path, root):
    with asked_to_stop(signal.SIGTERM, after=6):
        run(recipe, tmp_path / "a", root)
    run(recipe, tmp_path / "a", root, resume=True, finish=True)
    state = checkpoint.read(tmp_path / "a/last.safetensors")[1]
    assert state["step"] == state["recipe"]["steps"] == 6 + TINY["optimiser"]["decay"]
    assert checkpoint.read(tmp_path / "a/trunk.safetensors")[1]["step"] == 6


def test_the_decay_may_change_until_it_has_begun(recipe, tmp_path, root):
    shorter = write_recipe(tmp_path / "shorter.yaml", optimiser=TINY["optimiser"] | {"decay": 2})
    with asked_to_stop(signal.SIGTERM, after=6):
        run(recipe, tmp_path / "a", root)
    with asked_to_stop(signal.SIGTERM, after=7):
        run(shorter, tmp_path / "a", root, resume=True, finish=True)
    state = checkpoint.read(tmp_path / "a/last.safetensors")[1]
    assert (state["step"], state["recipe"]["steps"]) == (7, 8)
    with pytest.raises(TrainingError, match="decays over 2 steps already, not over 4"):
        run(recipe, tmp_path / "a", root, resume=True, finish=True)


def test_a_training_may_start_from_the_weights_of_another(recipe, tmp_path, root):
    run(recipe, tmp_path / "a", root)
    export(tmp_path / "a/best.safetensors", tmp_path / "first.safetensors")
    after = write_recipe(tmp_path / "after.yaml", init=str(tmp_path / "first.safetensors"))
    begun = initial_state(read(after), CPU).model.state_dict()
    first = weights.load(tmp_path / "first.safetensors").state_dict()
    assert all(torch.equal(begun[k], first[k]) for k in first)


def test_weights_of_another_network_are_no_start(recipe, tmp_path, root):
    run(recipe, tmp_path / "a", root)
    export(tmp_path / "a/best.safetensors", tmp_path / "first.safetensors")
    network = TINY["network"] | {"channels": [8, 16]}
    after = write_recipe(tmp_path / "after.yaml", init=str(tmp_path / "first.safetensors"), network=network)
    with pytest.raises(RecipeError, match="another network"):
        initial_state(read(after), torch.device("cpu"))


def test_resuming_with_another_recipe_is_refused_and_names_what_differs(recipe, tmp_path, root):
    run(recipe, tmp_path / "a", root, steps=2)
    other = write_recipe(tmp_path / "other.yaml", batch=5, ema=0.9)
    with pytest.raises(TrainingError, match=r"batch, ema|ema, batch"):
        run(other, tmp_path / "a", root, resume=True)


def test_nothing_is_overwritten_or_invented_on_a_wrong_start(recipe, tmp_path, root):
    with pytest.raises(TrainingError, match="nothing to resume"):
        run(recipe, tmp_path / "a", root, resume=True)
    run(recipe, tmp_path / "a", root, steps=1)
    with pytest.raises(TrainingError, match="exists; resume it"):
        run(recipe, tmp_path / "a", root)
    with pytest.raises(TrainingError, match="needs resume"):
        run(recipe, tmp_path / "b", root, finish=True)


def test_a_folder_in_use_is_refused(recipe, tmp_path, root):
    (tmp_path / "a").mkdir()
    with lock(tmp_path / "a"), pytest.raises(TrainingError, match=f"process {os.getpid()}"):
        run(recipe, tmp_path / "a", root)


def test_a_checkpoint_that_is_torn_is_refused_by_name(recipe, tmp_path, root):
    run(recipe, tmp_path / "a", root, steps=1)
    last = tmp_path / "a/last.safetensors"
    last.write_bytes(last.read_bytes()[:5000])
    with pytest.raises(TrainingError, match=r"last\.safetensors cannot be read"):
        run(recipe, tmp_path / "a", root, resume=True)


# --- failures while it runs -----------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_the_checkpoint(recipe, tmp_path, root, monkeypatch):
    run(recipe, tmp_path / "a", root, steps=3)
    before = (tmp_path / "a/last.safetensors").read_bytes()
    real = images.batch
    monkeypatch.setattr(images, "batch", lambda *args: real(*args) * np.float32(math.nan))
    with pytest.raises(TrainingError, match="not finite at step 3"):
        run(recipe, tmp_path / "a", root, resume=True, steps=3 + TINY["optimiser"]["decay"] + 1)
    assert (tmp_path / "a/last.safetensors").read_bytes() == before


def begun(plan: Any, root: Path) -> tuple[State, Lesson]:
    lesson = lesson_of(plan)
    lesson.open(root)
    return initial_state(plan, CPU), lesson


def test_a_step_whose_loss_is_not_finite_changes_no_weight(recipe, root):
    plan = read(recipe)
    state, lesson = begun(plan, root)
    before = deepcopy(state.model.state_dict())
    batch = tuple(b * math.inf for b in tensors_of(lesson.make(0)))
    assert not math.isfinite(loop.step(state, lesson, [batch], CPU))
    assert all(torch.equal(before[k], v) for k, v in state.model.state_dict().items())
    assert state.step == 0


def test_a_full_disk_keeps_the_previous_checkpoint_and_leaves_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    checkpoint.write(path, {"x": torch.ones(3)}, {"step": 1})

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoint.write(path, {"x": torch.zeros(3)}, {"step": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]
    assert checkpoint.read(path)[1] == {"step": 1}


# --- what it learns -------------------------------------------------------------------------------------------


def test_sixty_steps_on_tiny_images_lower_the_loss_and_raise_the_psnr(tmp_path, root):
    changes = {"optimiser": {"lr": 1e-2, "warmup": 3, "decay": 20}, "ema": 0.9, "batch": 16}
    recipe = write_recipe(
        tmp_path / "t.yaml",
        steps=60,
        validation={"every": 10, "sigmas": [25], "samples": 2, "sample_steps": 3},
        **changes,
    )
    run(recipe, tmp_path / "a", root)
    rows = figures(tmp_path / "a")
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])
    assert float(rows[-1]["psnr_25"]) > float(rows[0]["psnr_25"]) + 1


def test_the_best_weights_are_the_average_with_a_card_that_says_where_they_come_from(recipe, tmp_path, root):
    best = run(recipe, tmp_path / "a", root)
    card_path = export(best, tmp_path / "weights/tiny.safetensors", {"note": "a test"})
    card = yaml.safe_load(card_path.read_text())
    prior = weights.load(tmp_path / "weights/tiny.safetensors")
    assert (card["data"], card["note"]) == (["made here"], "a test")
    assert card["recipe_sha256"] == read(recipe).sha
    assert card["steps"] in (5, 10, 12)
    assert str(root) not in card_path.read_text()
    crops = images.centres(images.load(Source(path="val"), 8, root), 8)
    assert validate.validate(prior, crops, [25])["psnr_25"] == pytest.approx(card["validation"]["psnr_25"], abs=0.05)


def test_the_average_follows_the_weights_with_the_decay_of_the_recipe(recipe, root):
    plan = read(recipe, ema=0.5)
    state, lesson = begun(plan, root)
    expected = {k: v.clone() for k, v in state.model.network.named_parameters()}
    for n in range(1, 12):
        loop.step(state, lesson, [tensors_of(lesson.make(state.step))], CPU)
        decay = min(0.5, (1 + n) / (10 + n))
        for k, p in state.model.network.named_parameters():
            expected[k] = decay * expected[k] + (1 - decay) * p.detach()
    for k, p in state.average.network.named_parameters():
        assert torch.allclose(p, expected[k], atol=1e-6), k


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_ddim_turns_unit_noise_into_samples_of_the_prior(prediction):
    """With the exact network of x_0 ~ N(0, 0.25), the samples have standard deviation 0.5."""
    schedule = Schedule.make("linear")

    class Exact(torch.nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            a, s = (c.view(-1, 1, 1, 1) for c in schedule.scales(t))
            x0 = a * 0.25 / (a**2 * 0.25 + s**2) * x
            eps = (x - a * x0) / s
            return eps if prediction == "epsilon" else a * eps - s * x0

    noise = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    samples = ddim(DiffusionPrior(Exact(), schedule, prediction), noise, 200)
    assert float(samples.std()) == pytest.approx(0.5 * float(noise.std()), rel=0.02)


def test_a_validation_leaves_curves_samples_and_reconstructions(tmp_path, root):
    plan = {"every": 2, "sigmas": [25], "samples": 2, "sample_steps": 2}
    run(write_recipe(tmp_path / "t.yaml", steps=2, validation=plan), tmp_path / "a", root)
    with Image.open(tmp_path / "a/reconstructions.png") as image:
        assert image.size == (2 * 8, 3 * 8)
    with Image.open(tmp_path / "a/samples.png") as image:
        assert image.size == (2 * 8, 8)
    assert (tmp_path / "a/history.png").stat().st_size > 1000


def test_a_recipe_that_states_the_number_of_parameters_is_held_to_it(tmp_path, root):
    with pytest.raises(RecipeError, match="parameters, not 7"):
        run(write_recipe(tmp_path / "t.yaml", parameters=7), tmp_path / "a", root)


def test_a_torn_last_line_of_the_history_is_left_out(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("step,loss\n1,0.5\n2")
    assert History(path, ["step", "loss"]).rows() == [{"step": "1", "loss": "0.5"}]


def test_a_history_keeps_its_rows_when_a_column_is_added_and_drops_those_of_a_lost_end(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("step,loss\n1,0.5\n2,0.4\n3,0.3\n")
    history = History(path, ["step", "loss", "extra"])
    history.start(2)
    history.append({"step": 3, "loss": 0.1, "extra": 7})
    assert path.read_text().split() == ["step,loss,extra", "1,0.5,", "2,0.4,", "3,0.1,7"]
