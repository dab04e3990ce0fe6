"""Weights files of mixtures of patches. A module of its own, so that keys of networks do not hang on it."""

from __future__ import annotations

from pathlib import Path

from bench.methods.diffusion.error_spectrum import ErrorPower
from bench.methods.diffusion.patch_mixture import PatchMixture
from bench.methods.networks.weights import read_sealed


def load_mixture(path: Path) -> PatchMixture:
    """The mixture in a weights file. Raises WeightsError as ``bench.methods.networks.weights.load`` does."""
    tensors, card = read_sealed(path, "mixture")
    error = ErrorPower.of(card["calibration"]) if "calibration" in card else None
    mean, variance = card["patch_mean"], card["patch_variance"]
    model = PatchMixture(tensors["shares"], tensors["covariances"], mean, variance, error)
    return model.float().requires_grad_(False).eval()
