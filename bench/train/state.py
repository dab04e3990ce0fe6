"""Everything that changes while a training runs, and how it is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.errors import TrainingError
from bench.train import checkpoint
from bench.train.losses import Balance

if TYPE_CHECKING:
    from bench.train.recipe.base import Optimiser
    from bench.train.recipe.read import AnyRecipe

#: plain data that a checkpoint carries beside the tensors
_STORED = ("step", "seconds", "losses", "parts")


@dataclass
class State:
    """A training after ``step`` steps.

    Attributes:
        model: in training; its ``network`` holds the weights. ``average``: its exponential moving average.
        balance: running means that weight the loss of a diffusion model; None for others.
        best: highest validation figure so far (mean PSNR in dB).
        seconds: time spent in training, over all resumptions; ``waited``: that part since the last validation which
            was spent waiting for batches.
        losses: of the steps since the last validation; ``parts``: those of their parts, by name.
        batch: number of the batch that a loss is computed of: that of the step, unless gradients are accumulated.
    """

    recipe: AnyRecipe
    model: Any
    average: Any
    optimiser: torch.optim.Optimizer
    balance: Balance | None
    step: int = 0
    best: float = -math.inf
    seconds: float = 0.0
    waited: float = 0.0
    losses: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)
    batch: int = 0

    def save(self, path: Path) -> None:
        """Write a checkpoint. Raises TrainingError; the earlier file stays then."""
        tensors = {f"model.{k}": v for k, v in self.model.network.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.average.network.state_dict().items()}
        tensors |= checkpoint.pack_optimiser(self.optimiser, self.model.network)
        if self.balance is not None:
            tensors |= {"balance.mean": self.balance.mean, "balance.count": self.balance.count}
        stored = {k: getattr(self, k) for k in _STORED} | {"best": self.best if math.isfinite(self.best) else None}
        checkpoint.write(path, tensors, {"recipe": self.recipe.model_dump(mode="json"), **stored})

    def restore(self, path: Path) -> None:
        """Take up a checkpoint of the same recipe. Raises TrainingError naming what differs."""
        tensors, stored = checkpoint.read(path)
        refuse_another(self.recipe, stored["recipe"], path)
        self.model.network.load_state_dict(checkpoint.select(tensors, "model."))
        self.average.network.load_state_dict(checkpoint.select(tensors, "ema."))
        checkpoint.unpack_optimiser(self.optimiser, self.model.network, tensors)
        if self.balance is not None:
            self.balance.mean, self.balance.count = tensors["balance.mean"], tensors["balance.count"]
        self.step, self.seconds, self.losses = stored["step"], stored["seconds"], stored.get("losses", [])
        self.parts = stored.get("parts", {})
        self.best = -math.inf if stored["best"] is None else stored["best"]

    @torch.no_grad()
    def update_average(self) -> None:
        """EMA of the weights, with a shorter memory at first: (1 + n)/(10 + n) until the recipe's decay."""
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.network.parameters(), self.model.network.parameters(), strict=True)
        for old, new in pairs:
            old.lerp_(new, 1 - decay)
        for old, new in zip(self.average.network.buffers(), self.model.network.buffers(), strict=True):
            old.copy_(new)


def refuse_another(recipe: AnyRecipe, stored: dict[str, Any], path: Path) -> None:
    """Raise TrainingError when the checkpoint's recipe is another one, naming the entries that differ."""
    before, now = type(recipe).model_validate(stored).identity(), recipe.identity()
    differ = [k for k in now if now[k] != before.get(k)]
    if differ:
        raise TrainingError(
            f"{path} was trained with another recipe: {', '.join(differ)} differ. Take that recipe or another folder."
        )


def learning_rate(o: Optimiser, step: int, steps: int) -> float:
    """The rate of step ``step`` (from 0) out of ``steps``: warm-up, then constant or cosine, then the end."""
    warm = min(1.0, (step + 1) / (o.warmup + 1))
    if o.end != "wsd":
        turn = step / steps if o.end == "cosine" else step % o.period / o.period
        return o.lr * warm * 0.5 * (1 + math.cos(math.pi * turn))
    into = (step - (steps - o.decay)) / o.decay
    return o.lr * warm * (1 - math.sqrt(min(1.0, max(0.0, into))))
