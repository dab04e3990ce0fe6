"""A U-Net of plain residual blocks: no normalisation, no attention, no biases. What a CPU trains fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import relu

from bench.methods.networks.fold import fold, refuse_sides, unfold

if TYPE_CHECKING:
    from bench.methods.diffusion.schedule import Schedule

#: Angular frequencies, in 1 / log σ, at which the noise level is shown to the network.
FREQUENCIES = (0.25, 0.5, 1.0, 2.0)


class ResUNetConfig(BaseModel):
    """What a residual U-Net is built from.

    Attributes:
        channels: width of each level; every level but the last halves the sides.
        blocks: residual blocks of each level; levels with skips have as many again on the way up.
        space_to_depth: side r of the r×r pixel blocks that are folded into channels first; 1 for none.
        embedding: width of what is computed from the noise level.
        image_channels: 1 for gray, 3 for RGB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["res_unet"]
    channels: tuple[int, ...] = Field(min_length=1)
    blocks: tuple[int, ...] = Field(min_length=1)
    space_to_depth: int = Field(default=1, ge=1)
    embedding: int = Field(default=64, ge=1)
    image_channels: Literal[1, 3] = 1

    @model_validator(mode="after")
    def _fits(self) -> ResUNetConfig:
        if len(self.blocks) != len(self.channels):
            raise ValueError(f"blocks needs one entry per level: {len(self.channels)}, not {len(self.blocks)}")
        if min(*self.channels, *self.blocks, 1) < 1:
            raise ValueError("channels and blocks must be at least 1")
        return self

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.space_to_depth * 2 ** (len(self.channels) - 1)


class Block(nn.Module):
    """x + W_2 (g(σ) · relu(W_1 x)): (B, C, H, W), (B, E) -> (B, C, H, W); W are 3×3 convolutions without biases.

    The gains g of the channels are affine in the embedding of the noise level, and one at first.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.gain = nn.Linear(embedding, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight)
        nn.init.kaiming_normal_(self.conv2.weight)
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.gain.bias)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Filter and add."""
        return x + self.conv2(relu(self.conv1(x)) * (1 + self.gain(level))[:, :, None, None])


class LevelUNet(nn.Module):
    """DRUNet's design (Zhang et al. 2021, Plug-and-Play Image Restoration with Deep Denoiser Prior) for a diffusion.

    Residual blocks of two convolutions and a ReLU, 2×2 convolutions with stride 2 between the levels, skips that are
    added, no biases and no normalisation. The noise level enters as maps of a_t and s_t beside x_t, as in FFDNet
    (Zhang et al. 2018), and as gains in the blocks. The last convolution yields s_t times the prediction: near
    s_t = 0 that is the noise in the picture, which a residual denoiser (Zhang et al. 2017) learns.

    Under autocast the first and the last convolution stay in float32: with the 8 bits of a bfloat16 the rounding of
    x_t would exceed the noise of low levels.

    Args:
        config: widths and depths.
        beside: pictures that the network sees beside x_t.
    """

    def __init__(self, config: ResUNetConfig, beside: int = 0) -> None:
        super().__init__()
        self.config = config
        c, n, e = config.channels, config.blocks, config.embedding
        folded = config.image_channels * config.space_to_depth**2
        self.level = nn.Sequential(nn.Linear(2 * len(FREQUENCIES), e), nn.SiLU(), nn.Linear(e, e), nn.SiLU())
        self.head = nn.Conv2d((1 + beside) * folded + 2, c[0], 3, padding=1, bias=False)
        pairs = range(len(c) - 1)
        self.down = nn.ModuleList(_blocks(c[i], n[i], e) for i in pairs)
        self.shrink = nn.ModuleList(nn.Conv2d(c[i], c[i + 1], 2, 2, bias=False) for i in pairs)
        self.middle = _blocks(c[-1], n[-1], e)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(c[i + 1], c[i], 2, 2, bias=False) for i in pairs)
        self.up = nn.ModuleList(_blocks(c[i], n[i], e) for i in pairs)
        self.tail = nn.Conv2d(c[0], folded, 3, padding=1, bias=False)
        nn.init.zeros_(self.tail.weight)
        self.to(memory_format=torch.channels_last)

    def scaled(self, x: Tensor, a: Tensor, s: Tensor, level: Tensor) -> Tensor:
        """s times the prediction, (B, C, H, W), at x_t and what lies beside it, (B, (1 + beside) C, H, W).

        Args:
            x: pictures, sides multiples of the stride; others raise SettingError.
            a, s: scales of the level, (B,).
            level: embedding of the level, (B, E).
        """
        refuse_sides(x, self.config.stride, 1)
        folded = fold(x, self.config.space_to_depth)
        maps = torch.stack([a, s], 1)[:, :, None, None].expand(-1, -1, *folded.shape[-2:])
        with torch.autocast(x.device.type, enabled=False):
            first = self.head(torch.cat([folded, maps], 1))
        last = self._trunk(first, level)
        with torch.autocast(x.device.type, enabled=False):
            return unfold(self.tail(first + last), self.config.space_to_depth)

    def _trunk(self, h: Tensor, level: Tensor) -> Tensor:
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            skips.append(_through(blocks, h, level))
            h = shrink(skips[-1])
        h = _through(self.middle, h, level)
        for blocks, grow, skip in reversed(list(zip(self.up, self.grow, skips, strict=True))):
            h = _through(blocks, grow(h) + skip, level)
        return h


class ResUNet(LevelUNet):
    """The same as a function of x_t and t: a diffusion's network."""

    def __init__(self, config: ResUNetConfig, schedule: Schedule) -> None:
        super().__init__(config)
        self.schedule = schedule

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The prediction at x_t (B, C, H, W) and real steps t (B,). Raises SettingError for sides off the stride."""
        a, s = (scale.to(x.dtype) for scale in self.schedule.scales(t))
        return self.scaled(x, a, s, self.level(embed((s / a).log()))) / s[:, None, None, None]


def embed(log_sigma: Tensor) -> Tensor:
    """Cosines and sines of log σ (B,): (B, 2 len(FREQUENCIES))."""
    angles = log_sigma[:, None] * torch.tensor(FREQUENCIES).to(log_sigma)
    return torch.cat([angles.cos(), angles.sin()], 1)


def coloured(
    config: ResUNetConfig, tensors: dict[str, Tensor], colours: int
) -> tuple[ResUNetConfig, dict[str, Tensor]]:
    """A gray network as one of that many colours, which filters their mean and answers alike for each of them."""
    head = tensors["head.weight"]
    pixels, maps = head[:, :-2], head[:, -2:]
    wider = {
        "head.weight": torch.cat([pixels / colours] * colours + [maps], 1),
        "tail.weight": torch.cat([tensors["tail.weight"]] * colours),
    }
    return config.model_copy(update={"image_channels": colours}), {**tensors, **wider}


def deepened(
    config: ResUNetConfig, tensors: dict[str, Tensor], blocks: tuple[int, ...]
) -> tuple[ResUNetConfig, dict[str, Tensor]]:
    """A network as one of that many blocks a level, at least its own; the blocks that are new add nothing at first.

    Their second convolution is zero, as in Fixup (Zhang, Dauphin and Ma 2019), so that the deeper network computes
    what the given one does and learns from there.
    """
    config = config.model_copy(update={"blocks": blocks})
    deeper = LevelUNet(config).state_dict()
    for name, value in deeper.items():
        if name.endswith("conv2.weight"):
            value.zero_()
    return config, deeper | tensors


def _blocks(channels: int, n: int, embedding: int) -> nn.ModuleList:
    return nn.ModuleList(Block(channels, embedding) for _ in range(n))


def _through(blocks: nn.Module, h: Tensor, level: Tensor) -> Tensor:
    for block in blocks.children():
        h = block(h, level)
    return h
