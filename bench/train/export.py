"""From a training's best checkpoint to weights that ship, with their card."""

from __future__ import annotations

from pathlib import Path

from bench.train.calibrate import calibration
from bench.train.card import export
from bench.train.recipe.prior import Recipe
from bench.train.recipe.read import read
from bench.train.session import with_folders


def export_calibrated(
    source: Path, target: Path, recipe: Path, *, data_root: Path | None = None, train: Path | None = None
) -> Path:
    """``card.export``; of a prior, with its error measured on the training images (``bench.methods.diffusion``)."""
    plan = with_folders(read(recipe), train, None)
    if not isinstance(plan, Recipe):
        return export(source, target)
    return export(source, target, {"calibration": calibration(source, plan, data_root or Path())})
