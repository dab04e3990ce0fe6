"""Trained priors by name, loaded once per process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from bench.methods.diffusion.denoiser import Denoiser
from bench.plugins.weights import find_weights

if TYPE_CHECKING:
    from bench.contracts import Cost
    from bench.methods.diffusion.denoiser import Prior


@lru_cache(maxsize=4)
def load_prior(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Prior:
    """The prior in shipped weights, or in a .safetensors file: frozen, in evaluation mode. Raises WeightsError."""
    from bench.methods.networks import (
        weights,  # imports diffusers, which takes seconds: only for solvers that need it
    )

    return weights.load(find_weights(name)).to(device=device, dtype=dtype)


def denoiser(name: str, dtype: torch.dtype, device: str, cost: Cost) -> Denoiser:
    """That prior, counting in ``cost``."""
    return Denoiser(load_prior(name, dtype, device), cost)
