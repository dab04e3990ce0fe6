"""The U-Net of guided-diffusion (Dhariwal and Nichol 2021), whose FFHQ and ImageNet weights most papers sample from.

Submodules bear the names of the published files, so that a state dict loads as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import WeightsError
from bench.methods.networks.state_dicts import State, filled

GROUPS = 32
Resample = Literal["", "down", "up"]


@dataclass(frozen=True)
class ADMConfig:
    """What an ADM network is built from.

    Attributes:
        image_channels: of the images that go in.
        outputs: channels that come out: as many, or twice as many with a learned variance.
        features: "model_channels": of the time embedding's input.
        widths: channels of each level; every level but the last halves the sides.
        blocks: residual blocks per level on the way down; one more on the way up.
        attention: which levels have self-attention; the middle always has.
        residual_resampling: "resblock_updown": residual blocks resample, not convolutions.
        scale_shift: the time scales and shifts normalised features ("use_scale_shift_norm"), or is added before.
        head_channels: channels per head of attention; no shape tells it.
        heads_first: rows of q, k and v are grouped by head (as published), or the heads by q, k and v
            ("use_new_attention_order"); no shape tells it.
    """

    image_channels: int
    outputs: int
    features: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    residual_resampling: bool = True
    scale_shift: bool = True
    head_channels: int = 64
    heads_first: bool = True

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return 2 ** (len(self.widths) - 1)


FFHQ = ADMConfig(3, 6, 128, (128, 128, 256, 256, 512, 512), 1, (False, False, False, False, True, False))
IMAGENET = ADMConfig(3, 6, 256, (256, 256, 512, 512, 1024, 1024), 2, (False, False, False, True, True, True))


def config_of(state: State, head_channels: int = 64, heads_first: bool = True) -> ADMConfig:
    """The configuration that names and shapes of a state dict tell. Raises WeightsError where they are no ADM's."""
    if "label_emb.weight" in state:
        raise WeightsError(
            "these weights are class-conditional (label_emb.weight): without a label they are no prior of all images"
        )
    try:
        return _from_shapes(state, head_channels, heads_first)
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(
            f"this is no state dict of guided-diffusion: {error}. Its first names: {', '.join([*state][:3])}"
        ) from error


def _from_shapes(state: State, head_channels: int, heads_first: bool) -> ADMConfig:
    count = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("output_blocks."))
    # The last block of a level on the way up ends with a residual block, or a convolution, that enlarges.
    endings = [f"{i}.{part}" for i in (1, 2) for part in ("in_layers.0.weight", "conv.weight")]
    ups = [n for n in range(count) if any(f"output_blocks.{n}.{e}" in state for e in endings)]
    blocks = ups[0] if ups else count - 1
    first = [f"input_blocks.{1 + level * (blocks + 1)}" for level in range(count // (blocks + 1))]
    widths = tuple(len(state[f"{name}.0.out_layers.3.weight"]) for name in first)
    return ADMConfig(
        image_channels=state["input_blocks.0.0.weight"].shape[1],
        outputs=len(state["out.2.weight"]),
        features=state["time_embed.0.weight"].shape[1],
        widths=widths,
        blocks=blocks,
        attention=tuple(f"{name}.1.qkv.weight" in state for name in first),
        residual_resampling=f"input_blocks.{blocks + 1}.0.op.weight" not in state,
        scale_shift=len(state[f"{first[0]}.0.emb_layers.1.weight"]) == 2 * widths[0],
        head_channels=head_channels,
        heads_first=heads_first,
    )


def network_of(state: State, config: ADMConfig, path: Path | str) -> ADM:
    """The network with these weights, frozen. Two tables that deepinv's DiffUNet stores beside them are left out."""
    with torch.device("meta"):
        network = ADM(config)
    return filled(network, {k: v for k, v in state.items() if not k.endswith("alphas_cumprod")}, path)


class ADM(nn.Module):
    """(B, C, H, W) at steps t (B,), real, in the units of training -> (B, outputs, H, W)."""

    def __init__(self, config: ADMConfig) -> None:
        super().__init__()
        self.config = config
        width, time = config.widths[0], 4 * config.features
        self.time_embed = nn.Sequential(nn.Linear(config.features, time), nn.SiLU(), nn.Linear(time, time))
        self.input_blocks = nn.ModuleList([_Timed([nn.Conv2d(config.image_channels, width, 3, padding=1)])])
        skips = [width]
        for level, out in enumerate(config.widths):
            for _ in range(config.blocks):
                self.input_blocks.append(_Timed(self._pair(width, out, level)))
                skips.append(width := out)
            if level < len(config.widths) - 1:
                self.input_blocks.append(_Timed([self._resampling(width, "down")]))
                skips.append(width)
        attention = AttentionBlock(width, config)
        self.middle_block = _Timed([ResBlock(width, width, config), attention, ResBlock(width, width, config)])
        self.output_blocks = nn.ModuleList()
        for level, out in reversed([*enumerate(config.widths)]):
            for i in range(config.blocks + 1):
                layers = self._pair(width + skips.pop(), out, level)
                width = out
                if level and i == config.blocks:
                    layers.append(self._resampling(width, "up"))
                self.output_blocks.append(_Timed(layers))
        self.out = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, config.outputs, 3, padding=1))

    def _pair(self, inputs: int, outputs: int, level: int) -> list[nn.Module]:
        block: list[nn.Module] = [ResBlock(inputs, outputs, self.config)]
        return [*block, AttentionBlock(outputs, self.config)] if self.config.attention[level] else block

    def _resampling(self, width: int, resample: Resample) -> nn.Module:
        if self.config.residual_resampling:
            return ResBlock(width, width, self.config, resample)
        return Downsample(width) if resample == "down" else Upsample(width)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Noise ε, and after it what the variance is made of."""
        time = self.time_embed(time_features(t, self.config.features).to(x.dtype))
        skips = []
        for block in self.input_blocks:
            skips.append(x := block(x, time))
        x = self.middle_block(x, time)
        for block in self.output_blocks:
            x = block(torch.cat([x, skips.pop()], 1), time)
        return self.out(x)


def time_features(t: Tensor, count: int) -> Tensor:
    """Cosines, then sines, of t (B,) at frequencies 1 to 1/10000: (B, count). Real t lie between the whole ones."""
    half = count // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


class _Timed(nn.ModuleList):
    """Layers one after the other, of which residual blocks get the time."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        for layer in self:
            x = layer(x, time) if isinstance(layer, ResBlock) else layer(x)
        return x


class ResBlock(nn.Module):
    """Two convolutions, the time between them, beside a skip; resamples both after the first activation."""

    def __init__(self, inputs: int, outputs: int, config: ADMConfig, resample: Resample = "") -> None:
        super().__init__()
        self.scale_shift, self.resample = config.scale_shift, resample
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.in_layers = nn.Sequential(_norm(inputs), nn.SiLU(), conv)
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(4 * config.features, (2 if config.scale_shift else 1) * outputs)
        )
        # Third comes dropout in training: the convolution is number 3 in the files.
        last = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.out_layers = nn.Sequential(_norm(outputs), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, inputs, H, W) and (B, 4 features) -> (B, outputs, H', W')."""
        norm, activation, conv = self.in_layers
        h = conv(self._resampled(activation(norm(x))))
        embedded = self.emb_layers(time)[..., None, None]
        norm, *rest = self.out_layers
        if self.scale_shift:
            scale, shift = embedded.chunk(2, 1)
            h = norm(h) * (1 + scale) + shift
        else:
            h = norm(h + embedded)
        for layer in rest:
            h = layer(h)
        return self.skip_connection(self._resampled(x)) + h

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resample == "down":
            return functional.avg_pool2d(x, 2)
        return functional.interpolate(x, scale_factor=2.0) if self.resample == "up" else x


class AttentionBlock(nn.Module):
    """Self-attention of every position to every other, added to what came in: (B, C, H, W) -> the same."""

    def __init__(self, channels: int, config: ADMConfig) -> None:
        super().__init__()
        if channels % config.head_channels:
            raise WeightsError(
                f"{channels} channels of a level are no whole number of heads of {config.head_channels}"
            )
        self.heads, self.heads_first = channels // config.head_channels, config.heads_first
        self.norm = _norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attend and add."""
        qkv = self.qkv(self.norm(x).flatten(2))
        if self.heads_first:  # rows: (head, q | k | v, channel)
            q, k, v = qkv.unflatten(1, (self.heads, 3, -1)).unbind(2)
        else:
            q, k, v = qkv.unflatten(1, (3, self.heads, -1)).unbind(1)
        h = functional.scaled_dot_product_attention(*(part.transpose(-1, -2) for part in (q, k, v)))
        return x + self.proj_out(h.transpose(-1, -2).flatten(1, 2)).view_as(x)


class Downsample(nn.Module):
    """A convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Half the sides."""
        return self.op(x)


class Upsample(nn.Module):
    """Every pixel four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Twice the sides."""
        return self.conv(functional.interpolate(x, scale_factor=2.0))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels)
