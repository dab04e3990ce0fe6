"""The U-Nets of the diffusion priors, with a space-to-depth front for CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from bench.errors import SettingError
from bench.methods.networks.unet2d import UNet2D


class UNetConfig(BaseModel):
    """What a U-Net is built from.

    Attributes:
        channels: width of each level; every level but the last halves the sides.
        layers: residual blocks per level.
        attention: which levels have self-attention.
        head_dim: channels per attention head.
        space_to_depth: side r of the r×r pixel blocks that are folded into channels first; 1 for none.
        image_channels: 1 for gray, 3 for RGB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["unet2d"] = "unet2d"
    channels: tuple[int, ...] = Field(min_length=1)
    layers: int = Field(default=1, ge=1)
    attention: tuple[bool, ...]
    head_dim: int = Field(default=32, ge=1)
    space_to_depth: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    groups: int = Field(default=32, ge=1)
    image_channels: Literal[1, 3] = 1

    @model_validator(mode="after")
    def _fits(self) -> UNetConfig:
        check_levels(self.channels, self.attention, self.groups)
        return self

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.space_to_depth * 2 ** (len(self.channels) - 1)


def check_levels(channels: Sequence[int], attention: Sequence[bool], groups: int) -> None:
    """Raise ValueError unless every level has an entry for attention and has whole groups of channels."""
    if len(attention) != len(channels):
        raise ValueError(f"attention needs one entry per level: {len(channels)}, not {len(attention)}")
    if any(c % groups for c in channels):
        raise ValueError(f"every entry of channels must be a multiple of groups = {groups}")


class Levels(Protocol):
    """What the levels of a U-Net are made of, as its config says."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Width of each level."""
        ...

    @property
    def layers(self) -> int:
        """Residual blocks per level."""
        ...

    @property
    def attention(self) -> tuple[bool, ...]:
        """Which levels have self-attention."""
        ...

    @property
    def head_dim(self) -> int | None:
        """Channels per attention head; None for a single head."""
        ...

    @property
    def dropout(self) -> float:
        """Probability in [0, 1)."""
        ...

    @property
    def groups(self) -> int:
        """Of group normalisation."""
        ...


def unet2d(config: Levels, inputs: int, outputs: int, *, biggan: bool = False) -> UNet2D:
    """The U-Net of a config with so many channels in and out."""
    return UNet2D(
        inputs,
        outputs,
        config.channels,
        layers=config.layers,
        attention=config.attention,
        head_dim=config.head_dim,
        groups=config.groups,
        dropout=config.dropout,
        biggan=biggan,
    )


class UNet(nn.Module):
    """A U-Net between a space-to-depth fold and its inverse: (B, C, H, W), (B,) -> (B, C, H, W).

    Folding 2×2 pixel blocks into channels keeps every pixel and quarters the positions that the convolutions
    visit. Weights and activations are stored channels-last: several times faster than the default layout in
    training on a CPU.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        folded = config.image_channels * config.space_to_depth**2
        self.unet = unet2d(config, folded, folded)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The prediction at x_t (B, C, H, W) and real steps t (B,). Raises SettingError for sides off the stride."""
        h, w = x.shape[-2:]
        if h % self.config.stride or w % self.config.stride or not h * w:
            raise SettingError(f"this network takes sides that are multiples of {self.config.stride}, not {h}×{w}")
        folded = pixel_unshuffle(x, self.config.space_to_depth).contiguous(memory_format=torch.channels_last)
        return pixel_shuffle(self.unet(folded, t), self.config.space_to_depth)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(p.numel() for p in network.parameters())
