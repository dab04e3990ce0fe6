"""What trainings on pairs of a truth and what is seen of it share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import numpy as np

from bench.train.data.pairs import Pair, Pairs, load
from bench.train.kinds.base import Lesson

if TYPE_CHECKING:
    from bench.train.recipe.restoration import ConditionalRecipe, RestorerRecipe, UnrolledRecipe

R = TypeVar("R", bound="ConditionalRecipe | RestorerRecipe | UnrolledRecipe")


class RestorationLesson(Lesson, Generic[R]):
    """Learns from pairs.

    Attributes:
        kind: of the pairs.
        held_out: centres of the validation pictures, as ``make`` has those of training.
    """

    kind: ClassVar[type[Pairs]] = Pairs
    pairs: Pairs
    held_out: Pair

    def __init__(self, recipe: R, measured: list[str]) -> None:
        self.recipe = recipe
        self.workers = recipe.workers
        self.measured = measured

    def open(self, root: Path) -> None:
        """Training pairs, and the validation pairs."""
        self.pairs = load(self.recipe, "train", root, self.kind)
        self.held_out = load(self.recipe, "val", root, self.kind).centres(self.recipe.validation.crops)

    def make(self, step: int) -> Pair:
        """Truths (n, C, size, size) and what is seen of them (n, any C, size, size) in [0, 1]; see ``kind``."""
        return self.pairs.batch((self.recipe.seed, step))

    @property
    def truth(self) -> np.ndarray:
        """Of what is held out, (n, C, size, size) in [0, 1]."""
        return self.held_out[0]

    @property
    def seen(self) -> np.ndarray:
        """What the network is given of it, (n, any C, size, size)."""
        return self.held_out[1]
