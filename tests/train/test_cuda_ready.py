"""A training step of every kind on a GPU, without one: where CPU and GPU would mix, and what a step waits for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.train.data.feed import tensors
from bench.train.loop import columns, step
from bench.train.recipe.read import read
from bench.train.session import initial_state, lesson_of
from tests import restoration, training
from tests.pretended import Pretended
from tests.train.test_restoration import KINDS
from tests.train.test_unrolled import UNROLLED

CUDA = torch.device("cuda")
RESTORATION = {**KINDS, "unrolled": UNROLLED}
#: the others are near relatives of these
QUICK = ("prior", "convir", "residual")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.write_images(tmp_path_factory.mktemp("images"))


def recipe_of(kind: str, path: Path) -> Path:
    if kind == "prior":
        return training.write_recipe(path, loss={"frequency": 0.1})
    return restoration.write_recipe(path, **RESTORATION[kind], precision="bf16")


@pytest.fixture
def _bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.autocast asks whether there is a GPU before it begins."""
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)


@pytest.mark.usefixtures("_bfloat16")
@pytest.mark.parametrize(
    "kind", [*QUICK, *(pytest.param(k, marks=pytest.mark.slow) for k in RESTORATION if k not in QUICK)]
)
def test_a_training_step_and_a_validation_keep_to_their_device(kind: str, tmp_path: Path, root: Path) -> None:
    recipe = read(recipe_of(kind, tmp_path / "r.yaml"))
    lesson = lesson_of(recipe)
    lesson.open(root)
    batch = tensors(lesson.make(0))
    with Pretended() as gpu:
        state = initial_state(recipe, CUDA)
        step(state, lesson, [batch], CUDA)
        assert {v.device.type for v in state.model.network.parameters()} == {"cuda"}
        assert state.step == 1
        # Whether the loss is finite is read; the figures of the history come at once, and what balances noise levels;
        # nothing of a batch's size does.
        assert gpu.waits["read"] - gpu.asked_by("conjugate_gradients") == 1
        assert gpu.waits["download"] == (1 if state.balance is None else 4)
        figures = lesson.validate(state.average)
    assert {"val_loss", *lesson.measured} <= set(figures) <= set(columns(lesson))
