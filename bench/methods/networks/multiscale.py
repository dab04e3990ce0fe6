"""ConvIR's multi-scale module: filters predicted from the image's mean, wide apart, on three pooled scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, pad, unfold

#: The smallest input of the whole network: its coarsest features, pooled by 8, must exceed the reflection of 7.
LEAST = 256

GROUPS = 8  # channels of a group share one predicted filter
POOLS = (8, 4, 2)
DILATIONS = (7, 9, 11)


class MultiScale(nn.Module):
    """Attention at 1/8, 1/4 and 1/2 of the size, each on top of the coarser one: (B, C, H, W) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in POOLS])
        self.attend = nn.ModuleList([_Shapes(width, d) for d in DILATIONS])
        self.act = nn.GELU()
        self.out = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x and what each scale attends to, through a convolution."""
        total, coarser = x, None
        for pool, conv, attend in zip(POOLS, self.convs, self.attend, strict=True):
            pooled = avg_pool2d(x, pool)
            if coarser is not None:
                pooled = pooled + _resized(coarser, pooled)
            coarser = attend(conv(pooled))
            total = total + _resized(coarser, x)
        return self.out(self.act(total))


def _resized(z: Tensor, like: Tensor) -> Tensor:
    return interpolate(z, like.shape[-2:], mode="bilinear", align_corners=True)


class _Shapes(nn.Module):
    """Square attention (DSA) plus rectangular attention (DRA): a row, then a column."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.square = _Filter(width, (3, 3), dilation, norm=True)
        self.row, self.column = _Filter(width, (1, 3), dilation), _Filter(width, (3, 1), dilation)
        self.gamma = nn.Parameter(torch.zeros(width, 1, 1))
        self.beta = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.square(x) + self.gamma * self.column(self.row(x)) + self.beta * x


class _Filter(nn.Module):
    """A dilated filter predicted from the mean of the image, per group of channels, and a learned share of highs.

    low = (1 + e) k * x - e mean(x); out = a low + (1 + b) x with learned a, b, e per channel, zero at first. The
    mean is taken along the filter: over the image for a square one, over the row or the column otherwise.
    """

    def __init__(self, width: int, shape: tuple[int, int], dilation: int, norm: bool = False) -> None:
        super().__init__()
        self.shape, self.dilation = shape, dilation
        taps = shape[0] * shape[1]
        self.predict = nn.Conv2d(width, GROUPS * taps, 1, bias=False)
        self.norm = nn.BatchNorm2d(GROUPS * taps) if norm else nn.Identity()
        self.a, self.b, self.e = (nn.Parameter(torch.zeros(width, 1, 1)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        k = torch.tanh(self.norm(self.predict(adaptive_avg_pool2d(x, 1)))).view(B, GROUPS, 1, -1, 1)
        v, u = (self.dilation * (n // 2) for n in self.shape)
        windows = unfold(pad(x, (u, u, v, v), mode="reflect"), self.shape, self.dilation)
        filtered = (windows.view(B, GROUPS, C // GROUPS, -1, H * W) * k).sum(3).view(B, C, H, W)
        along = tuple(dim for dim, n in zip((-2, -1), self.shape, strict=True) if n > 1)
        low = (1 + self.e) * filtered - self.e * x.mean(along, keepdim=True)
        return self.a * low + (1 + self.b) * x
