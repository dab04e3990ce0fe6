"""Trained restorers and conditional diffusion models: loaded by name once per process, applied at any size."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.errors import SettingError
from bench.methods.networks.tiles import Tiles, batched
from bench.plugins.weights import find_weights

if TYPE_CHECKING:
    from bench.methods.networks.conditional import Conditional
    from bench.methods.networks.restorer import Restorer
    from bench.methods.networks.unrolled import Unrolled
    from bench.methods.problem import Problem

# Some of these networks come from deepinv, whose import takes seconds: only for solvers that need it.


@lru_cache(maxsize=4)
def load_restorer(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Restorer:
    """The restorer in shipped weights or a .safetensors file: frozen, in evaluation mode. Raises WeightsError."""
    from bench.methods.networks.restoration_weights import load_restorer as load

    return load(find_weights(name)).to(device=device, dtype=dtype)


@lru_cache(maxsize=4)
def load_conditional(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Conditional:
    """The conditional diffusion model in such a file, likewise."""
    from bench.methods.networks.restoration_weights import load_conditional as load

    return load(find_weights(name)).to(device=device, dtype=dtype)


@lru_cache(maxsize=4)
def load_unrolled(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Unrolled:
    """The unrolled solver in such a file, likewise."""
    from bench.methods.networks.restoration_weights import load_unrolled as load

    return load(find_weights(name)).to(device=device, dtype=dtype)


def apart(y: Tensor, channels: int) -> Tensor:
    """y (B, C, H, W) as images of ``channels`` channels: unchanged, or its colours apart, (B C, 1, H, W).

    Raises SettingError where neither fits.
    """
    return flat(y[:, None], channels)


def flat(frames: Tensor, channels: int) -> Tensor:
    """Frames (B, N, C, H, W) one after the other in the channels: (B, N C, H, W), or colours apart, (B C, N, H, W).

    Raises SettingError where neither fits.
    """
    C = frames.shape[2]
    if channels not in (1, C):
        way_out = ": take weights of a gray network, or colour data (`mode: rgb`)" if C == 1 else ""
        raise SettingError(f"these weights restore images of {channels} channels, not of {C}{way_out}")
    return (frames.transpose(1, 2).flatten(0, 1) if channels != C else frames.flatten(1, 2)).contiguous()


def seen(problem: Problem, count: int) -> Tensor:
    """The middle ``count`` frames (B, count, C, H, W) of a problem. Raises SettingError if it has fewer."""
    frames = problem.y[:, None] if problem.burst is None else problem.burst
    N = frames.shape[1]
    if count > N:
        raise SettingError(f"these weights restore bursts of {count} frames, the data have {N}; folder has `frames`")
    start = N // 2 - count // 2
    return frames[:, start : start + count]


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
    y = flat(seen(problem, model.frames), model.channels)
    tiles = Tiles((y.shape[-2], y.shape[-1]), patch, overlap, model.config.stride)

    def counted(pieces: Tensor) -> Tensor:
        problem.cost.evaluation(model, pieces)
        return model(pieces)

    return tiles.join(batched(counted, tiles.cut(y), batch)).reshape(problem.y.shape)


@torch.no_grad()
def unroll(problem: Problem, weights: str) -> Tensor:
    """The estimate of an unrolled solver, (B, C, H, W), not clipped; every denoising counts as one evaluation.

    Args:
        problem: with blur and noise level.
        weights: a shipped name or a .safetensors file.
    """
    from bench.methods.networks.half_quadratic import Seen

    model = load_unrolled(weights, problem.y.dtype, str(problem.y.device))
    scene = model(Seen.of(problem, model.config.stride))
    return ((problem.blur.crop(scene) + 1) / 2).reshape(problem.y.shape)
