"""What a training says: figures from the first steps on, and what became of it when it was stopped."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import TrainingError
from bench.train import checkpoint, loop, session
from bench.train.data.feed import Batch, tensors
from bench.train.progress import Progress
from bench.train.recipe.read import read
from bench.train.session import initial_state, lesson_of
from tests.restoration import write_recipe as write_restorer_recipe
from tests.training import write_images, write_recipe

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def test_lines_say_the_step_the_mean_loss_the_rate_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(10, 20, terminal=False, every=0)
    progress.began -= 30  # ten steps are done in 30 s: ten more take as long
    for step, loss in ((19, 1.0), (20, 3.0)):
        progress.step(step, loss, 1e-3)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("step 19/20  loss 1  lr 0.001  left 0:00:0")
    assert "step 20/20  loss 2.01" in second
    assert progress.left(15, progress.began + 30) == timedelta(seconds=30)


def test_a_bar_in_a_terminal_leaves_the_lines_of_validations_above_it(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(0, 4, terminal=True)
    progress.step(1, 0.5, 1e-3)
    progress.say("step 1/4  psnr_25 [27.1]")
    progress.close()
    assert "step 1/4  psnr_25 [27.1]" in capsys.readouterr().err


def stop_at(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """The process gets SIGINT in that step."""
    real = loop.step

    def step(state: Any, *args: Any) -> float:
        if state.step == last:
            os.kill(os.getpid(), signal.SIGINT)
        return real(state, *args)

    monkeypatch.setattr(loop, "step", step)


@pytest.mark.parametrize("export", [False, True])
def test_a_training_stopped_before_its_first_validation_says_that_there_are_no_weights_yet(
    export: bool, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 1)
    recipe, out = write_recipe(tmp_path / "r.yaml"), tmp_path / "out"
    words = ["train", str(recipe), "--out", str(out), "--data-root", str(root)]
    words += ["--export", str(tmp_path / "w.safetensors")] if export else []
    done = CliRunner().invoke(app, words)
    message = str(done.exception) if export else done.output
    assert isinstance(done.exception, TrainingError) is export
    assert "no weights yet: the training stopped before its first validation" in message
    assert (out / "last.safetensors").is_file()


def test_a_recipe_that_asks_for_compilation_is_trained_on_a_cpu_without_it(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session.run(write_recipe(tmp_path / "r.yaml", compile=True), tmp_path / "out", data_root=root, steps=1)
    assert "not compiled" in capsys.readouterr().err


def test_accumulated_gradients_make_the_step_of_their_batches_taken_together(tmp_path: Path, root: Path) -> None:
    def after(batches: list[Batch]) -> list[torch.Tensor]:
        plan = read(write_restorer_recipe(tmp_path / "r.yaml", accumulate=len(batches), loss={"name": "l1"}))
        state = initial_state(plan, CPU)
        state.optimiser = torch.optim.SGD(state.model.parameters(), lr=1.0)
        loop.step(state, lesson, batches, CPU)
        return [p.detach() for p in state.model.parameters()]

    lesson = lesson_of(read(write_restorer_recipe(tmp_path / "r.yaml")))
    lesson.open(root)
    apart = [tensors(lesson.make(k)) for k in (0, 1)]
    together = tuple(torch.cat(parts) for parts in zip(*apart, strict=True))
    assert all(torch.allclose(p, q, atol=1e-7) for p, q in zip(after(apart), after([together]), strict=True))


def test_a_training_with_accumulated_gradients_is_resumed_at_the_same_batch(tmp_path: Path, root: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", accumulate=2, optimiser={"lr": 2e-3, "end": "cosine"})
    session.run(recipe, tmp_path / "whole", data_root=root)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 4)
        session.run(recipe, tmp_path / "parts", data_root=root)
    session.run(recipe, tmp_path / "parts", data_root=root, resume=True)
    whole, parts = (checkpoint.read(tmp_path / f"{d}/last.safetensors")[0] for d in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
