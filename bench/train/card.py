"""The card of trained weights: what they are, where they come from, what they reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.methods.networks import weights
from bench.methods.networks.unet import count_parameters
from bench.train.checkpoint import write_atomically

if TYPE_CHECKING:
    from bench.train.state import State


def card(state: State, own: dict[str, Any], figures: dict[str, float]) -> dict[str, Any]:
    """Plain data about the averaged weights of a training; ``own``: what its kind of training adds."""
    recipe = state.recipe
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "network": recipe.network.model_dump(mode="json"),
        **own,
        "size": recipe.size,
        "parameters": count_parameters(state.model.network),
        "data": list(recipe.data.credits),
        "steps": state.step,
        "batch": recipe.batch,
        "hours": round(state.seconds / 3600, 2),
        "validation": {k: round(v, 3) for k, v in figures.items()},
        "recipe_sha256": recipe.sha,
    }


def seen(recipe: Any) -> dict[str, Any]:
    """What a card says about the pairs of a restoration recipe."""
    section = recipe.degradation
    return {
        "degradation": None if section is None else section.model_dump(mode="json"),
        "pairs": recipe.pairs.model_dump(mode="json", exclude_unset=True),
    }


def encode_average(state: State, card: dict[str, Any], dtype: torch.dtype = torch.float32) -> bytes:
    """A weights file of the moving average."""
    return weights.encode(state.average.network.state_dict(), card, dtype)


def export(source: Path, target: Path, extra: dict[str, Any] | None = None) -> Path:
    """Write trained weights in half precision with a card beside them (.json); returns the card's path.

    Args:
        source: ``best.safetensors`` of a training.
        target: safetensors file to write.
        extra: more entries for the card.
    """
    tensors, card = weights.read(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".json").unlink(missing_ok=True)
    write_atomically(target, weights.encode(tensors, {**card, **(extra or {})}))
    return weights.write_card(target)
