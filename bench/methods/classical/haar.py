"""The orthonormal Haar wavelet transform in two dimensions, batched, and the prox of its l1 norm.

Haar (1910); multi-level form of Mallat, IEEE TPAMI 11, 1989. One level maps each 2 x 2 block (a b; c d) to its
average (a + b + c + d) / 2 and to three details, (a - b + c - d) / 2 across, (a + b - c - d) / 2 down and
(a - b - c + d) / 2 diagonal: an orthogonal 4 x 4 matrix, so the inverse is the adjoint and energy is preserved.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bench.methods.classical.optim import soft_threshold


class Haar(NamedTuple):
    """Coefficients of a batch of images.

    Attributes:
        coarse: averages (B, C, H / 2^L, W / 2^L), scaled by 2^L.
        details: one tensor (B, C, 3, H / 2^l, W / 2^l) per level l = 1 ... L, finest first.
    """

    coarse: Tensor
    details: list[Tensor]


def levels_for(shape: tuple[int, int], wanted: int) -> int:
    """At most ``wanted`` levels, and no more than leave a coarse image of two pixels a side."""
    return max(0, min(wanted, min(shape).bit_length() - 2))


def padded_shape(shape: tuple[int, int], levels: int) -> tuple[int, int]:
    """The smallest (H, W) not below ``shape`` whose sides are multiples of 2^levels."""
    block = 2**levels
    h, w = (-(-n // block) * block for n in shape)
    return h, w


def analyse(x: Tensor, levels: int) -> Haar:
    """Coefficients of images (B, C, H, W). Raises ValueError unless 2^levels divides H and W."""
    if any(n % 2**levels for n in x.shape[-2:]):
        raise ValueError(f"{levels} Haar levels need sides divisible by {2**levels}, got {tuple(x.shape[-2:])}")
    details = []
    for _ in range(levels):
        x, d = _analyse_once(x)
        details.append(d)
    return Haar(x, details)


def synthesise(coefficients: Haar) -> Tensor:
    """The images (B, C, H, W): inverse and adjoint of ``analyse``."""
    x = coefficients.coarse
    for d in reversed(coefficients.details):
        x = _synthesise_once(x, d)
    return x


def prox_details(x: Tensor, threshold: Tensor, levels: int) -> Tensor:
    """The prox of t |W x|_1 over the details alone, exact because W is orthonormal.

    Args:
        x: images (B, C, H, W), sides divisible by 2^levels.
        threshold: t, (B, 1, 1, 1).
        levels: of the transform.
    """
    coarse, details = analyse(x, levels)
    return synthesise(Haar(coarse, [soft_threshold(d, threshold[:, None]) for d in details]))


def prox_details_spun(x: Tensor, threshold: Tensor, levels: int, gap: int = 1) -> Tensor:
    """The mean of ``prox_details`` over all 4^levels shifts of the periodic image (cycle spinning).

    Coifman & Donoho 1995; computed without decimation, each shift's coefficients once. Being a mean of proxes it is
    the prox of one convex function, their proximal average (Bauschke et al. 2008), so that FISTA converges with it.

    Args:
        x, threshold, levels: as in ``prox_details``; where 2^levels does not divide a side, blocks wrap round.
        gap: distance of the pixels that the first level combines.
    """
    if levels == 0:
        return x
    total, down = _pair(x, gap, -2)
    (average, across), (down, diagonal) = _pair(total, gap, -1), _pair(down, gap, -1)
    average = 2 * prox_details_spun(average / 2, threshold, levels - 1, 2 * gap)
    across, down, diagonal = (soft_threshold(d, 2 * threshold) for d in (across, down, diagonal))
    total = _unpair(average, across, gap, -1)
    return _unpair(total, _unpair(down, diagonal, gap, -1), gap, -2) / 16


def extend(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """Zeros below and right of images (B, C, h, w) up to ``shape``: the adjoint of cropping to (h, w)."""
    return functional.pad(x, (0, shape[1] - x.shape[-1], 0, shape[0] - x.shape[-2]))


def _analyse_once(x: Tensor) -> tuple[Tensor, Tensor]:
    top, bottom = x[..., 0::2, :], x[..., 1::2, :]
    total, down = top + bottom, top - bottom
    average = total[..., 0::2] + total[..., 1::2]
    across = total[..., 0::2] - total[..., 1::2]
    diagonal = down[..., 0::2] - down[..., 1::2]
    down = down[..., 0::2] + down[..., 1::2]
    return average / 2, torch.stack([across, down, diagonal], 2) / 2


def _synthesise_once(average: Tensor, details: Tensor) -> Tensor:
    across, down, diagonal = details.unbind(2)
    total = torch.stack([average + across, average - across], -1).flatten(-2)
    change = torch.stack([down + diagonal, down - diagonal], -1).flatten(-2)
    return torch.stack([total + change, total - change], -2).flatten(-3, -2) / 2


def _pair(x: Tensor, gap: int, dim: int) -> tuple[Tensor, Tensor]:
    # Sum and difference with the pixel ``gap`` further on, at every pixel.
    other = x.roll(-gap, dim)
    return x + other, x - other


def _unpair(total: Tensor, change: Tensor, gap: int, dim: int) -> Tensor:
    # The adjoint of ``_pair``.
    return total + change + (total - change).roll(gap, dim)
