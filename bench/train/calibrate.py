"""Measure how wrong a trained denoiser is, for the samplers that use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.methods.diffusion.error_spectrum import measure
from bench.methods.networks import weights
from bench.methods.networks.prior import scalar
from bench.train.data import images
from bench.train.recipe.prior import Recipe

#: Centre crops of training images that the error is averaged over.
CROPS = 256


@torch.no_grad()
def calibration(source: Path, recipe: Recipe, root: Path) -> dict[str, Any]:
    """The entry of the card: power spectra of the error of the weights in ``source`` on training images."""
    prior = weights.load(source)
    loaded = images.load(recipe.data.train, recipe.size, root, resize=recipe.augment.resize, mode=recipe.mode)
    crops = images.centres(loaded, recipe.size)
    chosen = np.random.default_rng(0).permutation(len(crops))[:CROPS]

    def denoise(y: Tensor, sigma: float) -> Tensor:
        return torch.cat([prior.denoise(part, scalar(sigma, part)) for part in y.split(recipe.batch)])

    return measure(torch.as_tensor(crops[chosen]), denoise).card()
