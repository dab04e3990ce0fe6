"""Recipes that fit a mixture of Gaussians to patches: no network, no gradient, no steps."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from bench.seeds import digest
from bench.train.recipe.base import Augment, Data, Part


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
    device: Literal["auto", "cpu"] = "auto"
    seed: int = 0

    #: The field with the length of the fit.
    length: ClassVar[str] = "iterations"

    @property
    def sha(self) -> str:
        """sha256 of what the recipe says; defaults that it leaves unsaid do not enter."""
        return digest(self.model_dump(mode="json", exclude_unset=True))
