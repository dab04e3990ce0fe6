"""The U-Net of denoising diffusion (Ho et al. 2020), as diffusers' UNet2DModel computes it and names its weights.

Weights load from either into either, and both give the same numbers to the last bit (tests/methods/test_unet2d.py).
Importing diffusers takes eight seconds, for each process of a solver; this takes none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-5


class ResnetBlock2D(nn.Module):
    """Two convolutions beside a shortcut; between them the time is added, or with ``scale_shift`` scales and shifts.

    Args:
        inputs, outputs: channels.
        embedding: width of the time embedding.
        resample: "down" or "up" halves or doubles the sides first, by means and by repetition (BigGAN).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        groups: int,
        dropout: float = 0.0,
        *,
        scale_shift: bool = False,
        resample: str = "",
    ):
        super().__init__()
        self.scale_shift, self.resample = scale_shift, resample
        self.norm1 = nn.GroupNorm(groups, inputs, EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, 2 * outputs if scale_shift else outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, EPS)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x (B, inputs, H, W), embedding (B, embedding) -> (B, outputs, H', W')."""
        h = functional.silu(self.norm1(x))
        if self.resample:
            x, h = self._resampled(x), self._resampled(h)
        h = self.conv1(h)
        time = self.time_emb_proj(functional.silu(embedding))[:, :, None, None]
        if self.scale_shift:
            scale, shift = time.chunk(2, 1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + time)
        h = self.conv2(self.dropout(functional.silu(h)))
        return (x if self.conv_shortcut is None else self.conv_shortcut(x)) + h

    def _resampled(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 2) if self.resample == "down" else functional.interpolate(x, scale_factor=2.0)


class Attention(nn.Module):
    """Self-attention of all pixels beside a shortcut. ``groups``: of the normalisation before it; None for none."""

    def __init__(self, channels: int, head_dim: int, groups: int | None):
        super().__init__()
        self.heads = channels // head_dim
        inner = self.heads * head_dim
        self.group_norm = None if groups is None else nn.GroupNorm(groups, channels, EPS)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, inner) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(inner, channels)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        B, C, H, W = x.shape
        h = x.view(B, C, H * W)
        h = (h if self.group_norm is None else self.group_norm(h)).transpose(1, 2)
        q, k, v = (
            part(h).view(B, H * W, self.heads, -1).transpose(1, 2) for part in (self.to_q, self.to_k, self.to_v)
        )
        h = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, H * W, -1)
        return self.to_out[0](h).transpose(1, 2).reshape(B, C, H, W) + x


class _Strided(nn.Module):
    """A convolution that halves the sides, or follows their doubling by repetition."""

    def __init__(self, channels: int, resample: str):
        super().__init__()
        self.up = resample == "up"
        self.conv = nn.Conv2d(channels, channels, 3, stride=1 if self.up else 2, padding=1)

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2.0) if self.up else x)


class _Level(nn.Module):
    """Residual blocks, each followed by attention where there is any, and a change of size.

    Args:
        inputs: channels that each block receives.
        resample: "down", "up" or "" for the same size.
        head_dim: channels per attention head; None for no attention.
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: int,
        embedding: int,
        groups: int,
        dropout: float,
        *,
        biggan: bool,
        resample: str,
        head_dim: int | None,
    ):
        super().__init__()
        resnets, attentions = [], []
        for n in inputs:  # a block and its attention in turn: the order in which diffusers draws their first weights
            resnets.append(ResnetBlock2D(n, outputs, embedding, groups, dropout, scale_shift=biggan))
            if head_dim is not None:
                attentions.append(Attention(outputs, head_dim, groups))
        self.resnets, self.attentions = nn.ModuleList(resnets), nn.ModuleList(attentions)
        changes: list[nn.Module] = []
        if resample and biggan:
            own = ResnetBlock2D(outputs, outputs, embedding, groups, dropout, scale_shift=True, resample=resample)
            changes.append(own)
        elif resample:
            changes.append(_Strided(outputs, resample))
        self.changes = f"{resample or 'down'}samplers"
        setattr(self, self.changes, nn.ModuleList(changes))

    def step(self, i: int, x: Tensor, embedding: Tensor) -> Tensor:
        """The i-th block."""
        x = self.resnets[i](x, embedding)
        return self.attentions[i](x) if self.attentions else x

    def changed(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x in the size of the next level."""
        for change in getattr(self, self.changes):
            x = change(x, embedding)
        return x


class _Middle(nn.Module):
    """Attention between two residual blocks. With BigGAN's blocks it has no normalisation of its own."""

    def __init__(self, channels: int, embedding: int, groups: int, dropout: float, head_dim: int, *, biggan: bool):
        super().__init__()
        first = ResnetBlock2D(channels, channels, embedding, groups, dropout, scale_shift=biggan)
        self.attentions = nn.ModuleList([Attention(channels, head_dim, None if biggan else groups)])
        last = ResnetBlock2D(channels, channels, embedding, groups, dropout, scale_shift=biggan)
        self.resnets = nn.ModuleList([first, last])

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x, embedding)), embedding)


class _TimeEmbedding(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(inputs, outputs), nn.Linear(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(functional.silu(self.linear_1(x)))


def sinusoids(t: Tensor, width: int) -> Tensor:
    """Cosines and sines of real steps t (B,) at width / 2 frequencies from 1 down to 1/10000: (B, width), float32."""
    exponent = -math.log(10000) * torch.arange(width // 2, dtype=torch.float32, device=t.device) / (width // 2)
    phase = t[:, None].float() * exponent.exp()
    return torch.cat([phase.cos(), phase.sin()], 1)


class UNet2D(nn.Module):
    """Levels down, a middle, and as many levels up, each of whose blocks also sees what the way down had there.

    Args:
        inputs, outputs: channels of images.
        channels: width of each level; every level but the last halves the sides. Multiples of ``groups``.
        layers: residual blocks of a level on the way down; there is one more on the way up.
        attention: which levels have self-attention; the middle always has.
        head_dim: channels per attention head; None for a single head.
        biggan: residual blocks halve and double the sides themselves, and time scales and shifts.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Sequence[int],
        *,
        layers: int,
        attention: Sequence[bool],
        head_dim: int | None,
        groups: int,
        dropout: float,
        biggan: bool = False,
    ):
        super().__init__()
        width, last = 4 * channels[0], len(channels) - 1
        self.base, self.layers = channels[0], layers
        self.conv_in = nn.Conv2d(inputs, channels[0], 3, padding=1)
        self.time_embedding = _TimeEmbedding(channels[0], width)

        def level(place: int, received: Sequence[int], resample: str) -> _Level:
            own = (head_dim or channels[place]) if attention[place] else None
            return _Level(
                received, channels[place], width, groups, dropout, biggan=biggan, resample=resample, head_dim=own
            )

        before = [channels[max(i - 1, 0)] for i in range(last + 1)]
        down = [
            level(i, [before[i], *[channels[i]] * (layers - 1)], "down" if i < last else "") for i in range(last + 1)
        ]
        self.down_blocks = nn.ModuleList(down)
        self.mid_block = _Middle(channels[-1], width, groups, dropout, head_dim or channels[-1], biggan=biggan)
        up = []
        for i in reversed(range(last + 1)):  # each block receives what the one before gives, and what went down here
            given = [channels[min(i + 1, last)], *[channels[i]] * layers]
            skipped = [*[channels[i]] * layers, before[i]]
            up.append(level(i, [a + b for a, b in zip(given, skipped, strict=True)], "up" if i > 0 else ""))
        self.up_blocks = nn.ModuleList(up)
        self.conv_norm_out = nn.GroupNorm(groups, channels[0], EPS)
        self.conv_out = nn.Conv2d(channels[0], outputs, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x (B, inputs, H, W) at real steps t (B,) -> (B, outputs, H, W); sides are multiples of the stride."""
        embedding = self.time_embedding(sinusoids(t, self.base).to(self.conv_in.weight.dtype))
        x = self.conv_in(x)
        passed = [x]
        for level in self.down_blocks:
            assert isinstance(level, _Level)
            for i in range(self.layers):
                x = level.step(i, x, embedding)
                passed.append(x)
            if level is not self.down_blocks[-1]:
                x = level.changed(x, embedding)
                passed.append(x)
        x = self.mid_block(x, embedding)
        for level in self.up_blocks:
            assert isinstance(level, _Level)
            for i in range(self.layers + 1):
                x = level.step(i, torch.cat([x, passed.pop()], 1), embedding)
            x = level.changed(x, embedding)
        return self.conv_out(functional.silu(self.conv_norm_out(x)))
