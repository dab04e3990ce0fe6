"""ConvIR (Cui, Ren, Cao & Knoll, TPAMI 2024): a convolutional U-Net with three scales in and three scales out."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import interpolate

from bench.methods.networks.fold import fold, refuse_sides, unfold
from bench.methods.networks.multiscale import LEAST, MultiScale


class ConvIRConfig(BaseModel):
    """What a ConvIR is built from.

    Attributes:
        n: each of the six blocks has n + 1 residual blocks; published: 3 (S), 7 (B), 15 (L); study 004: 6.
        multi_scale: whether the last residual block of each holds the multi-scale module (MSM).
        upsample: how the decoder doubles the sides: by a transposed convolution, as published, or by pixel shuffle
            (Shi et al. 2016), which study 004 tried without gain.
        width: channels at full resolution; twice and four times as many at the coarser scales.
        space_to_depth: side r of the r × r pixel blocks that are folded into channels; 1 for none.
        image_channels: 1 for gray, 3 for colour.
        informed: takes the measurement and its Wiener estimate, one after the other in the channels; corrects the
            latter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["convir"]
    n: int = Field(default=6, ge=0)
    multi_scale: bool = False
    activation: Literal["gelu", "relu"] = "gelu"
    upsample: Literal["transposed", "pixel_shuffle"] = "transposed"
    width: int = Field(default=32, ge=8, multiple_of=8)
    space_to_depth: int = Field(default=1, ge=1)
    image_channels: Literal[1, 3] = 1
    frames: Literal[1] = 1
    informed: bool = False

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this: the module pools thrice at the coarsest scale."""
        return self.space_to_depth * (32 if self.multi_scale else 4)

    @property
    def least(self) -> int:
        """The smallest side: the module reflects 7 pixels at an eighth of the coarsest scale, a norm needs 2 × 2."""
        return self.space_to_depth * (LEAST if self.multi_scale else 8)


class ConvIR(nn.Module):
    """Blurred (B, C, H, W) -> restored at full, half and quarter size: every output is a correction of its input."""

    def __init__(self, config: ConvIRConfig) -> None:
        super().__init__()
        self.config = config
        c, image = config.width, config.image_channels * config.space_to_depth**2
        seen = image * (1 + config.informed)
        self.first = nn.Conv2d(seen, c, 3, padding=1)
        self.shallow = nn.ModuleList([_Shallow(seen, 2 * c), _Shallow(seen, 4 * c)])
        self.fuse_in = nn.ModuleList([nn.Conv2d(2 * w, w, 3, padding=1) for w in (2 * c, 4 * c)])
        self.down = nn.ModuleList([nn.Conv2d(w, 2 * w, 3, 2, 1) for w in (c, 2 * c)])
        self.encode = nn.ModuleList([_Stage(w, config) for w in (c, 2 * c, 4 * c)])
        self.decode = nn.ModuleList([_Stage(w, config) for w in (c, 2 * c, 4 * c)])
        self.up = nn.ModuleList([_doubling(2 * w, w, config) for w in (c, 2 * c)])
        self.fuse_skip = nn.ModuleList([nn.Conv2d(2 * w, w, 1) for w in (c, 2 * c)])
        self.last = nn.ModuleList([nn.Conv2d(w, image, 3, padding=1) for w in (c, 2 * c, 4 * c)])
        self.act = activation(config)
        self.to(memory_format=torch.channels_last)

    def forward(self, y: Tensor) -> tuple[Tensor, ...]:
        """Estimates at full, half and quarter size. Raises SettingError for sides off the stride."""
        refuse_sides(y, self.config.stride, self.config.least)
        inputs = [y, *(interpolate(y, scale_factor=1 / k) for k in (2, 4))]
        levels = [fold(x, self.config.space_to_depth) for x in inputs]
        skips = [self.encode[0](self.act(self.first(levels[0])))]
        for i in (1, 2):
            down = self.act(self.down[i - 1](skips[-1]))
            joined = self.fuse_in[i - 1](torch.cat([down, self.shallow[i - 1](levels[i])], 1))
            skips.append(self.encode[i](joined))
        z = self.decode[2](skips[2])
        out = [self._image(z, inputs, 2)]
        for i in (1, 0):
            z = torch.cat([self.act(self.up[i](z)), skips[i]], 1)
            z = self.decode[i](self.fuse_skip[i](z))
            out.append(self._image(z, inputs, i))
        return tuple(reversed(out))

    def _image(self, z: Tensor, inputs: list[Tensor], level: int) -> Tensor:
        corrected = inputs[level][:, -self.config.image_channels :]
        return corrected + unfold(self.last[level](z), self.config.space_to_depth)


class _Shallow(nn.Sequential):
    """Features of a downsampled input: 3×3 to a quarter of the width, 1×1, 3×3, 1×1 to all of it, instance norm."""

    def __init__(self, image: int, width: int) -> None:
        quarter, half = width // 4, width // 2
        super().__init__(
            *(nn.Conv2d(image, quarter, 3, padding=1), nn.GELU()),
            *(nn.Conv2d(quarter, half, 1), nn.GELU()),
            *(nn.Conv2d(half, half, 3, padding=1), nn.GELU()),
            *(nn.Conv2d(half, width, 1), nn.InstanceNorm2d(width, affine=True)),
        )


class _Stage(nn.Sequential):
    """n + 1 residual blocks; the last one may hold the multi-scale module."""

    def __init__(self, width: int, config: ConvIRConfig) -> None:
        super().__init__(*(_Residual(width, config, i == config.n) for i in range(config.n + 1)))


class _Residual(nn.Module):
    """x + conv(MSM(act(conv(x))))."""

    def __init__(self, width: int, config: ConvIRConfig, last: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.act = activation(config)
        self.module = MultiScale(width) if last and config.multi_scale else nn.Identity()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.module(self.act(self.conv1(x))))


def _doubling(width: int, out: int, config: ConvIRConfig) -> nn.Module:
    """From ``width`` channels to ``out`` at twice the sides."""
    if config.upsample == "transposed":
        return nn.ConvTranspose2d(width, out, 4, 2, 1)
    return nn.Sequential(nn.Conv2d(width, 4 * out, 3, padding=1), nn.PixelShuffle(2))


def activation(config: ConvIRConfig) -> nn.Module:
    """The activation that the configuration names."""
    return nn.GELU() if config.activation == "gelu" else nn.ReLU()
