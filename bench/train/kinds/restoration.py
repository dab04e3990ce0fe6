"""What trainings on pairs of a truth and what is seen of it share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from bench.train.data import pairs
from bench.train.kinds.base import Lesson

if TYPE_CHECKING:
    from bench.train.recipe.restoration import ConditionalRecipe, RestorerRecipe

R = TypeVar("R", bound="ConditionalRecipe | RestorerRecipe")


class RestorationLesson(Lesson, Generic[R]):
    """Learns from pairs.

    Attributes:
        truth: centres of the validation pictures, (n, C, size, size) in [0, 1].
        seen: what the network is given of them, (n, any C, size, size).
    """

    pairs: pairs.Pairs
    truth: np.ndarray
    seen: np.ndarray

    def __init__(self, recipe: R, measured: list[str]) -> None:
        self.recipe = recipe
        self.workers = recipe.workers
        self.measured = measured

    def open(self, root: Path) -> None:
        """Training pairs, and the validation pairs."""
        self.pairs = pairs.load(self.recipe, "train", root)
        self.truth, self.seen = pairs.load(self.recipe, "val", root).centres(self.recipe.validation.crops)

    def make(self, step: int) -> pairs.Pair:
        """Truths (n, C, size, size) and what is seen of them (n, any C, size, size) in [0, 1]."""
        return self.pairs.batch((self.recipe.seed, step))
