"""From a training's best checkpoint to weights that ship, with their card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.train import mixture
from bench.train.calibrate import calibration
from bench.train.card import export
from bench.train.recipe.mixture import MixtureRecipe
from bench.train.recipe.prior import Recipe
from bench.train.recipe.read import read_any
from bench.train.session import with_folders


def export_calibrated(
    source: Path,
    target: Path,
    recipe: Path,
    *,
    data_root: Path | None = None,
    train: Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """``card.export``; of a prior, with its error measured on the training images (``bench.methods.diffusion``)."""
    plan = with_folders(read_any(recipe, changes), train, None)
    if isinstance(plan, MixtureRecipe):
        return mixture.export(source, target)
    if not isinstance(plan, Recipe):
        return export(source, target)
    return export(source, target, {"calibration": calibration(source, plan, data_root or Path())})
