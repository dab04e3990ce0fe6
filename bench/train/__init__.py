"""Training of priors and of restoration from recipes: ``run(recipe, out)``, then ``export(best, target)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


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
) -> Path:
    """Train what a recipe says; returns the weights with the best validation figure, ``out/best.safetensors``.

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

    Raises RecipeError, DataError, and TrainingError (loss not finite, disk full, wrong resumption, folder in use).
    """
    from bench.train.session import run

    return run(
        recipe,
        out,
        resume=resume,
        steps=steps,
        finish=finish,
        device=device,
        data_root=data_root,
        train=train,
        val=val,
    )


def export(source: Path, target: Path, extra: dict[str, Any] | None = None) -> Path:
    """Write trained weights in half precision with a card beside them (.json); returns the card's path.

    Args:
        source: ``best.safetensors`` of a training.
        target: safetensors file to write.
        extra: more entries for the card.
    """
    from bench.train.card import export

    return export(source, target, extra or {})


def export_calibrated(
    source: Path, target: Path, recipe: Path, *, data_root: Path | None = None, train: Path | None = None
) -> Path:
    """``export``; of a prior, with the denoiser's error measured on the training images (see ``bench.diffusion``)."""
    from pathlib import Path

    from bench.train.calibrate import calibration
    from bench.train.recipe.prior import Recipe
    from bench.train.recipe.read import read
    from bench.train.session import with_folders

    plan = with_folders(read(recipe), train, None)
    if not isinstance(plan, Recipe):
        return export(source, target)
    return export(source, target, {"calibration": calibration(source, plan, data_root or Path())})
