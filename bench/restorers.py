"""Trained restorers and conditional diffusion models: loaded by name once per process, applied at any size."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.errors import SettingError
from bench.patches import Tiles, batched
from bench.weights_file import find

if TYPE_CHECKING:
    from bench.contracts import Problem
    from bench.networks.conditional import Conditional
    from bench.networks.restorer import Restorer

# These networks come from diffusers and deepinv, whose import takes seconds: only for solvers that need it.


@lru_cache(maxsize=4)
def load_restorer(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Restorer:
    """The restorer in shipped weights or a .safetensors file: frozen, in evaluation mode. Raises WeightsError."""
    from bench.networks.trained import load_restorer as load

    return load(find(name)).to(device=device, dtype=dtype)


@lru_cache(maxsize=4)
def load_conditional(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Conditional:
    """The conditional diffusion model in such a file, likewise."""
    from bench.networks.trained import load_conditional as load

    return load(find(name)).to(device=device, dtype=dtype)


def apart(y: Tensor, channels: int) -> Tensor:
    """y (B, C, H, W) as images of ``channels`` channels: unchanged, or its colours apart, (B C, 1, H, W).

    Raises SettingError where neither fits.
    """
    if y.shape[1] == channels:
        return y
    if channels != 1:
        raise SettingError(f"these weights restore images of {channels} channels, not of {y.shape[1]}")
    return y.reshape(-1, 1, *y.shape[-2:])


def restore(problem: Problem, weights: str, network: str, patch: int, overlap: int, batch: int) -> Tensor:
    """The estimate of a restorer, (B, C, H, W): in one piece up to the size of a patch, in patches beyond.

    Args:
        problem: may be blind.
        weights: a shipped name or a .safetensors file.
        network: the kind of network that the weights must be of.
        patch, overlap: see ``Tiles``; the side of a patch must be a multiple of the network's stride.
        batch: patches at once; each call of the network counts as one evaluation.
    """
    model = load_restorer(weights, problem.y.dtype, str(problem.y.device))
    if model.config.kind != network:
        raise SettingError(f"weights {weights!r} are of the network {model.config.kind}, not {network}")
    if model.frames != 1:
        raise SettingError(f"weights {weights!r} restore bursts of {model.frames} frames, not single images")
    y = apart(problem.y, model.channels)
    tiles = Tiles((y.shape[-2], y.shape[-1]), patch, overlap, model.config.stride)

    def counted(pieces: Tensor) -> Tensor:
        problem.cost.nfe_forward += 1
        return model(pieces)

    return tiles.join(batched(counted, tiles.cut(y), batch)).reshape(problem.y.shape)
