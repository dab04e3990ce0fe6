"""What validations leave: parts of the loss, weights and pictures of the last few, events for TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from bench.errors import TrainingError
from bench.methods.networks import weights
from bench.methods.networks.convir import ConvIR
from bench.train import session
from bench.train.history import History
from bench.train.recipe.read import read
from bench.train.session import initial_state
from tests import restoration, training
from tests.restoration import CONVIR

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.write_images(tmp_path_factory.mktemp("images"))


def rows(out: Path) -> list[dict[str, float]]:
    return [{k: float(v) for k, v in r.items() if v} for r in History(out / "history.csv", []).rows()]


def test_study_004s_losses_are_shown_apart_and_add_up(tmp_path: Path, root: Path) -> None:
    """Its Figure 4: spatial and frequency loss; with the penalty the norm of the gradient too."""
    loss = {"name": "multiscale", "frequency": 0.2, "gradient_penalty": 0.1}
    recipe = restoration.write_recipe(tmp_path / "r.yaml", loss=loss)
    session.run(recipe, tmp_path / "out", data_root=root)
    for row in rows(tmp_path / "out"):
        assert row["loss"] == pytest.approx(row["loss_spatial"] + 0.2 * row["loss_frequency"], rel=1e-3)
        assert row["val_loss"] == pytest.approx(row["val_spatial"] + 0.2 * row["val_frequency"], rel=1e-3)
        assert row["loss_gradient_norm"] > 0
    with Image.open(tmp_path / "out/history.png") as image:
        assert image.width == 6 * 400  # total, spatial, frequency, gradient; PSNR; SSIM


def test_study_003s_losses_are_shown_apart_and_add_up(tmp_path: Path, root: Path) -> None:
    """Its Figure 7 is of the total: noise prediction and 0.1 of the frequency loss, in training and validation."""
    recipe = training.write_recipe(tmp_path / "r.yaml", loss={"weighting": "none", "frequency": 0.1})
    session.run(recipe, tmp_path / "out", data_root=root)
    for row in rows(tmp_path / "out"):
        assert row["loss_total"] == pytest.approx(row["loss"] + 0.1 * row["loss_frequency"], rel=1e-3)
        assert row["val_total"] == pytest.approx(row["val_loss"] + 0.1 * row["val_frequency"], rel=1e-3)


def test_a_training_stopped_between_validations_shows_the_means_of_one_that_was_not(
    tmp_path: Path, root: Path
) -> None:
    changes: dict[str, Any] = {"loss": {"name": "multiscale"}, "optimiser": {"lr": 2e-3, "end": "wsd", "decay": 1}}
    recipe = restoration.write_recipe(tmp_path / "r.yaml", **changes)
    session.run(recipe, tmp_path / "whole", data_root=root)
    short = restoration.write_recipe(tmp_path / "s.yaml", **changes, validation={"every": 100, "pictures": 0})
    session.run(short, tmp_path / "parts", data_root=root, steps=3)
    assert rows(tmp_path / "parts")[-1]["step"] == 3
    session.run(recipe, tmp_path / "parts", data_root=root, resume=True)
    one, two = rows(tmp_path / "whole")[-1], rows(tmp_path / "parts")[-1]
    assert one["loss_spatial"] == two["loss_spatial"]


def test_keep_leaves_weights_and_pictures_of_the_last_validations(tmp_path: Path, root: Path) -> None:
    recipe = restoration.write_recipe(tmp_path / "r.yaml", steps=15, keep=2)
    session.run(recipe, tmp_path / "out", data_root=root)
    folders = sorted(p.name for p in (tmp_path / "out/validations").iterdir())
    assert folders == ["00000010", "00000015"]
    last = tmp_path / "out/validations/00000015"
    assert sorted(p.name for p in last.iterdir()) == ["restorations.png", "weights.safetensors"]
    tensors, card = weights.read(last / "weights.safetensors")
    assert card["steps"] == 15
    earlier, _ = weights.read(last.with_name("00000010") / "weights.safetensors")
    assert any(not torch.equal(tensors[k], earlier[k]) for k in tensors)


def test_without_keep_there_are_no_folders(tmp_path: Path, root: Path) -> None:
    session.run(restoration.write_recipe(tmp_path / "r.yaml", steps=1), tmp_path / "out", data_root=root)
    assert not (tmp_path / "out/validations").exists()


# --- TensorBoard ----------------------------------------------------------------------------------------------


def test_without_tensorboard_the_option_names_what_to_install(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    recipe = restoration.write_recipe(tmp_path / "r.yaml", steps=1)
    with pytest.raises(TrainingError, match=r"deblur-bench\[tensorboard\]"):
        session.run(recipe, tmp_path / "out", data_root=root, tensorboard=True)


@pytest.mark.filterwarnings("default")  # of another project
def test_tensorboard_gets_every_loss_and_what_validations_measure(tmp_path: Path, root: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = restoration.write_recipe(tmp_path / "r.yaml")
    session.run(recipe, tmp_path / "out", data_root=root, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "out/tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("step/loss")] == list(range(1, 11))
    shown = [e.value for e in events.Scalars("validation/psnr_out")]
    assert shown == pytest.approx([r["psnr_out"] for r in rows(tmp_path / "out")], abs=1e-4)
    assert [e.step for e in events.Images("restorations")] == [5, 10]


# --- the attempts of study 004 that are options ---------------------------------------------------------------


def test_pixel_shuffle_doubles_the_sides_as_the_transposed_convolution_does(tmp_path: Path) -> None:
    y = torch.rand(1, 1, 24, 32)
    shuffled = CONVIR.model_copy(update={"upsample": "pixel_shuffle"})
    published, ours = (ConvIR(c)(y) for c in (CONVIR, shuffled))
    assert [o.shape for o in ours] == [o.shape for o in published]
    network = shuffled.model_dump(mode="json")
    state = initial_state(read(restoration.write_recipe(tmp_path / "r.yaml", network=network)), torch.device("cpu"))
    # 3 x 3 convolutions to four times the channels, in place of 4 x 4 ones with stride 2
    more = sum(9 * (2 * w) * (4 * w) + 4 * w - (16 * 2 * w * w + w) for w in (8, 16))
    count = sum(p.numel() for p in ConvIR(CONVIR).parameters())
    assert sum(p.numel() for p in state.model.parameters()) == count + more
