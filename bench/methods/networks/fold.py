"""Space to depth: r × r pixel blocks as channels, so that a CPU visits fewer positions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from bench.errors import SettingError


def fold(x: Tensor, r: int) -> Tensor:
    """(B, C, H, W) -> (B, C r², H / r, W / r), channels-last; channel c becomes the channels from c r² on."""
    return pixel_unshuffle(x, r).contiguous(memory_format=torch.channels_last)


def unfold(x: Tensor, r: int) -> Tensor:
    """The inverse of ``fold``."""
    return pixel_shuffle(x, r)


def refuse_sides(x: Tensor, stride: int, least: int) -> None:
    """Raise SettingError unless the sides of images (..., H, W) are multiples of ``stride``, at least ``least``."""
    H, W = x.shape[-2:]
    if H % stride or W % stride or min(H, W) < least:
        raise SettingError(f"this network takes sides that are multiples of {stride}, at least {least}, not {H}×{W}")
