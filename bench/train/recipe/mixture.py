"""Recipes that fit a mixture of Gaussians to patches: no network, no gradient, no steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from bench.errors import RecipeError
from bench.plugins.settings import describe
from bench.seeds import digest
from bench.train.recipe.base import Augment, Data, Part

KIND = "mixture"


class MixtureRecipe(Part):
    """A fit by expectation maximisation.

    ``size``: side of a patch; ``patches``: how many are drawn; ``components``: K; ``iterations`` at most, fewer once
    the log likelihood of a patch rises by less than ``tolerance``. ``calibration``: crops of training images that the
    error spectrum of the card is measured on.
    """

    kind: Literal["mixture"]
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    summary: str
    data: Data
    size: int = Field(default=8, ge=2)
    patches: int = Field(ge=1)
    components: int = Field(ge=1)
    iterations: int = Field(ge=1)
    tolerance: float = Field(default=0.0, ge=0)
    augment: Augment = Augment()
    sigmas: tuple[float, ...] = Field(default=(10.0, 25.0, 50.0), min_length=1)
    calibration: int = Field(default=32, ge=0)
    seed: int = 0

    @property
    def sha(self) -> str:
        """sha256 of what the recipe says; defaults that it leaves unsaid do not enter."""
        return digest(self.model_dump(mode="json", exclude_unset=True))


def is_mixture(path: Path) -> bool:
    """Whether a file is such a recipe; False too where it cannot be read, which whoever reads it will say."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(given, dict) and given.get("kind") == KIND


def read_mixture(path: Path, **overrides: Any) -> MixtureRecipe:
    """The recipe in a YAML file that ``is_mixture``; ``overrides`` replace top-level entries. Raises RecipeError."""
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return MixtureRecipe.model_validate({**given, **overrides})
    except ValidationError as error:
        raise RecipeError(f"{path}: {describe(error)}") from error
