"""From a recipe and a folder to a training that runs: overrides, resumption, the lock on the folder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from bench.errors import RecipeError, TrainingError
from bench.files import hold
from bench.methods.networks.unet import count_parameters
from bench.plugins.weights import find_weights
from bench.train import checkpoint, mixture
from bench.train.board import Board, TensorBoard
from bench.train.kinds.base import Lesson
from bench.train.kinds.conditional import ConditionalLesson
from bench.train.kinds.prior import PriorLesson
from bench.train.kinds.restorer import RestorerLesson
from bench.train.kinds.unrolled import UnrolledLesson
from bench.train.loop import Trainer
from bench.train.muon import Muon
from bench.train.recipe.base import Source
from bench.train.recipe.mixture import MixtureRecipe
from bench.train.recipe.read import AnyRecipe, read_any
from bench.train.recipe.restoration import ConditionalRecipe, RestorerRecipe, UnrolledRecipe
from bench.train.state import State

R = TypeVar("R", bound="AnyRecipe | MixtureRecipe")


def run(
    recipe: Path,
    out: Path,
    *,
    resume: bool = False,
    steps: int | None = None,
    finish: bool = False,
    device: str | None = None,
    data_root: Path | None = None,
    train: Path | None = None,
    val: Path | None = None,
    tensorboard: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Train or fit what a recipe says; returns the weights with the best validation figure, ``out/best.safetensors``.

    A training that was stopped before its first validation has none: the file is not there then.

    Args:
        recipe: YAML file.
        out: folder of checkpoints (``last``, ``trunk`` before the rate decays, ``best``) and ``history.csv``.
        resume: go on from ``out/last.safetensors``.
        steps: length of the training instead of the recipe's.
        finish: with ``resume``: let the rate decay from here on and stop after the recipe's ``decay`` steps.
        device: "cpu", "cuda" or "auto" instead of the recipe's.
        data_root: folder that relative paths of images start from; the current one by default.
        train: folder of training images instead of the recipe's.
        val: folder of validation images, likewise.
        tensorboard: also write events for TensorBoard into ``out/tensorboard``.
        changes: see ``bench.train.recipe.read``.

    Raises RecipeError, DataError, and TrainingError (loss not finite, disk full, wrong resumption, folder in use).
    """
    given = {k: v for k, v in {"steps": steps, "device": device}.items() if v is not None}
    plan = with_folders(read_any(recipe, changes, **given), train, val)
    out.mkdir(parents=True, exist_ok=True)
    with lock(out):
        if isinstance(plan, MixtureRecipe):
            if resume or finish or tensorboard:
                raise RecipeError(f"{recipe}: a mixture is fitted in one go: without resume, finish and tensorboard")
            return mixture.run(plan, out, data_root=data_root)
        start, end = starting_point(out, plan, resume=resume, finish=finish)
        plan = plan.model_copy(update={"steps": end})
        place = choose_device(plan)
        state = initial_state(plan, place)
        if start is not None:
            state.restore(start)
            sys.stderr.write(f"resumed {start} at step {state.step}\n")
        if plan.compile and place.type == "cuda":
            state.model.network.compile()  # in place: the names of the weights stay
        elif plan.compile:
            sys.stderr.write(
                "compile: true is for a GPU; on a CPU it takes minutes and gains nothing: not compiled\n"
            )
        lesson = lesson_of(plan)
        lesson.open(data_root or Path())
        Trainer(state, lesson, out, place, TensorBoard(out, state.step + 1) if tensorboard else Board()).run()
    return out / "best.safetensors"


def lesson_of(recipe: AnyRecipe) -> Lesson:
    """The lesson that a recipe asks for."""
    if isinstance(recipe, ConditionalRecipe):
        return ConditionalLesson(recipe)
    if isinstance(recipe, UnrolledRecipe):
        return UnrolledLesson(recipe)
    return RestorerLesson(recipe) if isinstance(recipe, RestorerRecipe) else PriorLesson(recipe)


def initial_state(recipe: AnyRecipe, device: torch.device) -> State:
    """The state before the first step, initialised from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    lesson = lesson_of(recipe)
    model = lesson.model().to(device)
    if recipe.parameters not in (None, n := count_parameters(model)):
        raise RecipeError(f"recipe {recipe.name}: the network has {n} parameters, not {recipe.parameters}")
    if recipe.init is not None:
        lesson.take(model, find_weights(recipe.init))
    average = lesson.model().to(device).requires_grad_(False).eval()
    average.load_state_dict(model.state_dict())
    o = recipe.optimiser
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "muon": Muon}[o.name]
    optimiser = kind(model.parameters(), lr=o.lr, betas=o.betas, weight_decay=o.weight_decay)
    return State(recipe, model, average, optimiser, lesson.balance(model))


def with_folders(recipe: R, train: Path | None, val: Path | None) -> R:
    """The recipe with the user's folders of images in place of its own."""
    changes = {}
    if train is not None:
        changes["train"] = Source(path=str(train.resolve()), repeat=recipe.data.train.repeat)
        if recipe.data.val.path == recipe.data.train.path is not None:  # validation is a part of the same folder
            changes["val"] = Source(path=str(train.resolve()))
    if val is not None:
        changes["val"] = Source(path=str(val.resolve()))
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})


def choose_device(recipe: AnyRecipe) -> torch.device:
    """The recipe's device; "auto" takes a GPU when there is one. Raises TrainingError when CUDA is missing."""
    has = torch.cuda.is_available()
    if recipe.device == "cuda" and not has:
        raise TrainingError("device: cuda was asked for, but there is no CUDA device here. Allowed: auto, cpu.")
    return torch.device("cuda" if recipe.device != "cpu" and has else "cpu")


def starting_point(out: Path, plan: AnyRecipe, *, resume: bool, finish: bool) -> tuple[Path | None, int]:
    """The checkpoint to start from, or None, and the step to train to.

    A training whose rate has begun to decay and that is now asked for more steps goes on from ``trunk``, where
    the rate was still constant. Raises TrainingError when the folder and what is asked do not fit.
    """
    last, trunk = out / "last.safetensors", out / "trunk.safetensors"
    if finish and not (resume and plan.optimiser.end == "wsd"):
        raise TrainingError("finish lets the rate of a training decay: it needs resume, and a recipe with end: wsd")
    if last.exists() != resume:
        fault = "there is nothing to resume in" if resume else "a training exists; resume it, or leave"
        raise TrainingError(f"{fault} {out}")
    if not resume:
        return None, plan.steps
    stored = checkpoint.read(last)[1]
    planned, decay = stored["recipe"]["steps"], stored["recipe"]["optimiser"]["decay"]
    decaying = plan.optimiser.end == "wsd" and stored["step"] > planned - decay
    if decaying and finish and decay != plan.optimiser.decay:
        raise TrainingError(f"the rate decays over {decay} steps already, not over {plan.optimiser.decay}")
    if finish:
        return last, planned if decaying else stored["step"] + plan.optimiser.decay
    return (trunk if decaying and trunk.exists() and plan.steps > planned else last), plan.steps


@contextlib.contextmanager
def lock(out: Path) -> Iterator[None]:
    """Hold ``out/pid`` (who holds it is written in it). Raises TrainingError when another training holds it."""
    with (out / "pid").open("a") as file:
        hold(file.fileno(), out / "pid", "another training", TrainingError)
        yield
