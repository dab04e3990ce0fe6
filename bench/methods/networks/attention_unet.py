"""The U-Net of "Generative Denoising for Medical Image Reconstruction" (Chaurasia): 6,614,881 parameters."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from bench.errors import SettingError


class AttentionUNetConfig(BaseModel):
    """There is nothing to choose: the layers are those that the slides print."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["seed003"]

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return 4


class SelfAttention(nn.Module):
    """Eight-head attention of every pixel to every other, (B, C, H, W) -> the same, with a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(12, channels)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.to_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attend and add."""
        qkv = self.to_qkv(self.norm(x)).flatten(2).unflatten(1, (3, 8, -1)).transpose(-1, -2)
        out = scaled_dot_product_attention(*qkv.unbind(1))
        return x + self.to_out(out.transpose(-1, -2).reshape(x.shape))


class AttentionUNet(nn.Module):
    """Three levels (96, 192, 384), time injected at the bottleneck: (B, 1, H, W), (B,) -> (B, 1, H, W).

    The slides print layers and sizes but neither the activations nor how skips join: SiLU after every convolution
    and concatenation are what the printed sizes allow.
    """

    def __init__(self, config: AttentionUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.time_mlp = nn.Sequential(nn.Linear(1, 384), nn.SiLU(), nn.Linear(384, 96))
        self.conv_in = nn.Conv2d(1, 96, 3, padding=1)
        self.down1 = nn.Conv2d(96, 192, 4, 2, 1)
        self.down2 = nn.Conv2d(192, 384, 4, 2, 1)
        self.mid1 = nn.Conv2d(384, 384, 3, padding=1)
        self.mid_attn = SelfAttention(384)
        self.mid_t = nn.Linear(96, 384)
        self.mid2 = nn.Conv2d(384, 384, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(384, 192, 4, 2, 1)
        self.skip1 = nn.Conv2d(192, 192, 1)
        self.up2 = nn.ConvTranspose2d(384, 96, 4, 2, 1)
        self.skip0 = nn.Conv2d(96, 96, 1)
        self.conv_out = nn.Conv2d(192, 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The prediction at x_t and steps t in [0, 999], taken as t / 1000 in [0, 1)."""
        h, w = x.shape[-2:]
        if h % 4 or w % 4 or not h * w:
            raise SettingError(f"this network takes sides that are multiples of 4, not {h}×{w}")
        level0 = silu(self.conv_in(x.contiguous(memory_format=torch.channels_last)))
        level1 = silu(self.down1(level0))
        mid = silu(self.mid1(silu(self.down2(level1))))
        time = self.mid_t(self.time_mlp(t[:, None] / 1000))
        mid = silu(self.mid2(self.mid_attn(mid) + time[..., None, None]))
        up1 = torch.cat([silu(self.up1(mid)), self.skip1(level1)], 1)
        up2 = torch.cat([silu(self.up2(up1)), self.skip0(level0)], 1)
        return self.conv_out(up2)
