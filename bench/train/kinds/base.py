"""What a training of one kind does: the seam between the loop and what is learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.train.data.feed import Batch

if TYPE_CHECKING:
    from bench.train.losses import Balance
    from bench.train.recipe.base import BaseRecipe
    from bench.train.state import State


@dataclass(frozen=True)
class Loss:
    """What a step minimises.

    Attributes:
        total: a scalar with a gradient.
        shown: the figure of the history, a scalar.
        learn: what is to be noted once the step was taken.
        parts: what the history shows apart: scalars by the names in ``Lesson.parts``, not yet weighted.
    """

    total: Tensor
    shown: Tensor
    learn: Callable[[], None]
    parts: Mapping[str, Tensor] = field(default_factory=dict)


def nothing() -> None:
    """There is nothing to note."""


class Lesson(ABC):
    """One kind of training, of one recipe. Images are there once ``open`` was called.

    Attributes:
        measured: names of the validation figures, apart from ``val_loss``.
        parts: names of the losses that the history shows apart.
        workers: processes that make batches ahead.
    """

    measured: list[str]
    parts: tuple[str, ...] = ()
    workers: int = 0

    @abstractmethod
    def model(self) -> nn.Module:
        """An untrained model; its ``network`` holds the weights."""

    @abstractmethod
    def take(self, model: Any, path: Path) -> None:
        """Start from weights. Raises RecipeError when they do not fit."""

    @abstractmethod
    def open(self, root: Path) -> None:
        """Load the images; relative paths start from ``root``."""

    @abstractmethod
    def make(self, step: int) -> tuple[np.ndarray, ...]:
        """The batch of a step: a function of the recipe's seed and the step."""

    @abstractmethod
    def loss(self, state: State, batch: Batch) -> Loss:
        """The loss of a batch on the device; randomness from torch's generator (seeded for the step) or keyed."""

    @abstractmethod
    def validate(self, average: Any) -> dict[str, float]:
        """The figures ``measured``, ``val_loss``, and ``val_PART`` of those parts that validation has."""

    @abstractmethod
    def score(self, figures: dict[str, float]) -> float:
        """The one figure that selects the best weights; higher is better."""

    @abstractmethod
    def show(self, rows: list[dict[str, str]], average: Any, out: Path) -> None:
        """Write the pictures of a validation."""

    @abstractmethod
    def card(self) -> dict[str, Any]:
        """What the card of the weights says beside what all cards say."""

    def balance(self, model: Any) -> Balance | None:  # noqa: ARG002 - for those that balance noise levels
        """Running means that weight the loss, or None."""
        return None


def autocast(recipe: BaseRecipe, device: torch.device) -> torch.autocast:
    """bfloat16 where the recipe asks for it and the device gains by it: a CPU needs instructions for it."""
    enabled = recipe.precision == "bf16" and (device.type == "cuda" or cpu_has_bf16())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself (AVX-512 BF16, AMX)."""
    return getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
