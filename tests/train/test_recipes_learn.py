"""Every shipped recipe learns: a short training of its network, with its loss, on small crops of drawn slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from bench.datasets.phantoms import Phantoms  # pyright: ignore[reportMissingImports]
from PIL import Image as Pil
from scipy.ndimage import gaussian_filter

from bench.train import loop
from bench.train.data.feed import tensors
from bench.train.kinds.base import Lesson
from bench.train.recipe.base import BaseRecipe
from bench.train.recipe.read import read, read_any
from bench.train.session import initial_state, lesson_of
from bench.train.state import State

RECIPES = Path(__file__).parents[2] / "recipes"
CPU = torch.device("cpu")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

#: Steps within which the loss must have fallen: one to two minutes of a core, for the largest networks too.
STEPS, EVERY = 400, 20

#: The share by which the loss must fall. SwinIR begins as the identity, whose loss is the blurred picture's, and
#: with four levels of noise an hour of training does not take a fifth of it away.
SHARE = {"swinir_light_cpu": 0.1, "swinir_light_rgb_cpu": 0.05, "swinir_light_gpu": 0.1}


@pytest.fixture(scope="module")
def slices() -> list[np.ndarray]:
    """Twenty drawn slices, uint8."""
    drawn = Phantoms(split="train", size=128, margin=16, limit=20, window=(-160.0, 240.0))
    return [np.rint(255 * drawn.load(i).scene[0]).astype(np.uint8) for i in drawn.ids()]


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pil.fromarray(pixels).save(path)


def lay_out(layout: str, slices: list[np.ndarray], root: Path) -> tuple[str, str]:
    """Folders of training and validation images as a layout wants them."""
    if layout == "ct_sequence":
        for k in range(24):  # a slice that moves
            write(root / f"{k:03d}.png", np.roll(slices[0], 2 * k, 1))
        return str(root), str(root)
    for part, chosen in (("train", slices[:16]), ("val", slices[16:])):
        for k, sharp in enumerate(chosen):
            blurred = gaussian_filter(sharp.astype(float), 1.5).round().astype(np.uint8)
            if layout == "images":
                write(root / part / f"{k}.png", sharp)
            elif layout == "gopro":
                write(root / part / f"S/sharp/{k}.png", sharp)
                write(root / part / f"S/blur/{k}.png", blurred)
            else:
                write(root / part / f"S/{k}/gt/gt_sharp.png", np.stack([sharp] * 3, -1))
                write(root / part / f"S/{k}/real_blur/real_blur.png", np.stack([blurred] * 3, -1))
    return str(root / "train"), str(root / "val")


def small(name: str, slices: list[np.ndarray], root: Path) -> Any:
    """The recipe with its own network and loss, on small crops in small batches, warmed up at once."""
    recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    train, val = lay_out(recipe.get("pairs", {}).get("layout", "images"), slices, root / "images")
    recipe["data"] |= {"train": {"path": train}, "val": {"path": val}}
    for key in ("init", "predictor_init", "precision", "compile", "workers", "predictor_loss"):
        recipe.pop(key, None)
    recipe["optimiser"] |= {"warmup": 10, "lr": max(recipe["optimiser"]["lr"], 5e-4)}
    shown = {"pictures": 0, "samples": 0, "crops": 8} if "kind" in recipe else {"samples": 0}
    size = min(recipe["size"], 32)
    recipe |= {
        "device": "cpu",
        "size": size,
        "batch": 4,
        "steps": 10 * STEPS,
        "validation": {"every": STEPS, **shown},
    }
    path = root / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return read(path)


def val_loss(lesson: Lesson, state: State) -> float:
    state.model.eval()
    with torch.no_grad():
        return lesson.validate(state.model)["val_loss"]


@pytest.mark.skipif(not RECIPES.is_dir(), reason="there are no recipes beside the tests")
@pytest.mark.parametrize(
    "name", sorted(p.stem for p in RECIPES.glob("*.yaml") if isinstance(read_any(p), BaseRecipe))
)
def test_a_short_training_of_a_recipe_lowers_its_validation_loss(
    name: str, slices: list[np.ndarray], tmp_path: Path
) -> None:
    plan = small(name, slices, tmp_path)
    lesson = lesson_of(plan)
    lesson.open(Path())
    state = initial_state(plan, CPU)
    reached = before = val_loss(lesson, state)
    wanted = (1 - SHARE.get(name, 0.2)) * before
    while state.step < STEPS and reached > wanted:
        for _ in range(EVERY):
            loop.step(state, lesson, [tensors(lesson.make(state.step))], CPU)
        reached = min(reached, val_loss(lesson, state))
    print(f"{name}: {before:.4g} -> {reached:.4g} in {state.step} steps")  # noqa: T201  # with -s: what was measured
    assert reached <= wanted
