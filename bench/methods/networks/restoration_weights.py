"""Weights files of restoration: loading them. A module of its own, so that keys of priors do not hang on it."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from bench.methods.networks import conditional, restorer, unrolled
from bench.methods.networks.weights import filled, read_sealed


def load_conditional(path: Path) -> conditional.Conditional:
    """The conditional diffusion model in a weights file; see ``bench.methods.networks.weights.load``."""
    tensors, card = read_sealed(path, "conditional")
    config = conditional.ConditionalConfig.model_validate(card["network"])
    return filled(conditional.build(config, card["schedule"], card["prediction"], card), tensors)


def load_restorer(path: Path) -> restorer.Restorer:
    """The restorer in a weights file; see ``bench.methods.networks.weights.load``."""
    tensors, card = read_sealed(path, "restorer")
    config = TypeAdapter(restorer.RestorerConfig).validate_python(card["network"])
    return filled(restorer.build(config, card), tensors)


def load_unrolled(path: Path) -> unrolled.Unrolled:
    """The unrolled solver in a weights file; see ``bench.methods.networks.weights.load``."""
    tensors, card = read_sealed(path, "unrolled")
    return filled(unrolled.build(unrolled.UnrolledConfig.model_validate(card["network"]), card), tensors)
