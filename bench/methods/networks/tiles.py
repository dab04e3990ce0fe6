"""Images of any size through a network of patches: overlapping patches, averaged under a Hann window (study 001)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import EllipsisType

import torch
from torch import Tensor
from torch.nn.functional import pad

from bench.errors import SettingError

#: Where a patch lies in images (B, C, H, W).
Place = tuple[EllipsisType, slice, slice]


class Tiles:
    """Overlapping patches of images of one size, and how they become images again.

    What a network gives for a patch fades out towards the border of the patch, where it lacked context: patches that
    disagree by d leave no step of more than about 2 d / overlap between neighbouring pixels. The weights of a pixel
    sum to one, so that a constant stays one.

    Args:
        shape: (H, W) of the images.
        patch: side of a patch, a multiple of ``stride``. Along a side that is no longer than a patch there is one, as
            long as the side, rounded up to the stride.
        overlap: pixels that neighbours share at least, in [0, patch); no more than patch - stride is possible.
        stride: of the network. Sides and first pixels of patches are multiples of it: a network that samples every
            8th pixel, or looks through windows of 8, commutes with shifts by 8 pixels and with no others, and
            patches that begin elsewhere disagree inside, where no window hides it.

    Attributes:
        extended: (H', W'), what the patches cover: the image, its sides rounded up to the stride.
    """

    def __init__(self, shape: tuple[int, int], patch: int, overlap: int, stride: int = 1) -> None:
        if patch < 1 or patch % stride:
            raise SettingError(f"patch must be a multiple of {stride}, the network's stride, got {patch}")
        if not 0 <= overlap < patch:
            raise SettingError(f"overlap must be in [0, {patch}), the side of a patch, got {overlap}")
        self.shape = shape
        self.extended = tuple(n + -n % stride for n in shape)
        self.patch = tuple(min(n, patch) for n in self.extended)
        sides = zip(self.extended, self.patch, strict=True)
        self.places = list(product(*(starts(n, p, min(overlap, p - stride), stride) for n, p in sides)))

    def __len__(self) -> int:
        return len(self.places)

    def cut(self, x: Tensor) -> Tensor:
        """Patches (B n, C, h, w) of images (B, C, H, W), or of extended ones; the edge is repeated where needed."""
        bottom, right = (e - n for e, n in zip(self.extended, x.shape[-2:], strict=True))
        x = pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x
        h, w = self.patch
        return torch.stack([x[..., t : t + h, u : u + w] for t, u in self.places], 1).flatten(0, 1)

    def windows(self, like: Tensor, margin: int = 0) -> Iterator[tuple[Place, Tensor]]:
        """For each patch the place of it in images (B, C, *extended), and the weights (h, w) of its pixels.

        Args:
            like: dtype and device.
            margin: pixels along a side that is inside the image whose weight is zero: less than half the overlap.
        """
        h, w = self.patch
        for t, u in self.places:
            rows = _faded(t, h, self.extended[0], margin, like)
            columns = _faded(u, w, self.extended[1], margin, like)
            yield (..., slice(t, t + h), slice(u, u + w)), rows[:, None] * columns

    def join(self, pieces: Tensor) -> Tensor:
        """The images (B, C, H, W) of patches (B n, C, h, w): weighted means where they overlap."""
        h, w = self.patch
        window = hann(h, pieces)[:, None] * hann(w, pieces)
        images = pieces.unflatten(0, (-1, len(self)))
        total = pieces.new_zeros(len(images), pieces.shape[1], *self.extended)
        weight = pieces.new_zeros(self.extended)
        for k, (t, u) in enumerate(self.places):
            total[..., t : t + h, u : u + w] += window * images[:, k]
            weight[t : t + h, u : u + w] += window
        return (total / weight)[..., : self.shape[0], : self.shape[1]]


def batched(f: Callable[[Tensor], Tensor], pieces: Tensor, batch: int) -> Tensor:
    """f of at most ``batch`` patches at a time, so that its memory is bounded whatever the image."""
    return torch.cat([f(part) for part in pieces.split(batch)])


def starts(n: int, patch: int, overlap: int, stride: int = 1) -> list[int]:
    """First pixels of patches that cover n >= patch pixels evenly and share at least ``overlap`` with the next.

    All are multiples of ``stride``, as n and patch must be; overlap <= patch - stride.
    """
    n, patch, overlap = n // stride, patch // stride, -(-overlap // stride)
    gaps = -(-(n - patch) // (patch - overlap))
    return [stride * round(k * (n - patch) / gaps) for k in range(gaps + 1)] if gaps else [0]


def _faded(start: int, n: int, total: int, margin: int, like: Tensor) -> Tensor:
    """``hann`` over what is not margin of a patch of n pixels at ``start`` along a side of ``total``; zero there."""
    low, high = (0 if start == 0 else margin), (0 if start + n == total else margin)
    return pad(hann(n - low - high, like), (low, high))


def hann(n: int, like: Tensor) -> Tensor:
    """sin² (n,), sampled between its zeros, so that every pixel of an image has some weight."""
    at = (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5) / n
    return torch.sin(torch.pi * at) ** 2
