"""The blur y = k * x as a linear operator on batches: one kernel per image, exact adjoint, FFT inside.

``circular``: x and y are both (B, C, H, W) on a torus. ``valid``: the scene x is larger than the sensor,
(B, C, H + h - 1, W + w - 1), and y keeps what the sensor sees; nothing is assumed about the outside.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from bench.contracts import Cost
from bench.imaging.fft import fast_shape

Boundary = Literal["valid", "circular"]


def otf(psf: Tensor, shape: tuple[int, int]) -> Tensor:
    """Optical transfer function of PSFs (B, 1, h, w) centred at size // 2: rfft2 (B, 1, H, W // 2 + 1).

    Multiplying with it convolves circularly on a grid of ``shape`` without moving the image. Raises ValueError
    if the PSF is larger than the grid (deepinv crops it in silence).
    """
    h, w = psf.shape[-2:]
    if h > shape[0] or w > shape[1]:
        raise ValueError(f"the PSF is {h} x {w} pixels, larger than the grid of {shape[0]} x {shape[1]} it acts on")
    padded = functional.pad(psf, (0, shape[1] - w, 0, shape[0] - h))
    return torch.fft.rfft2(torch.roll(padded, (-(h // 2), -(w // 2)), (-2, -1)))


def convolve(x: Tensor, spectrum: Tensor) -> Tensor:
    """Circular convolution of x (B, C, H, W) with the kernel whose ``otf`` on that grid is ``spectrum``."""
    return torch.fft.irfft2(torch.fft.rfft2(x) * spectrum, s=x.shape[-2:])


class Blur:
    """A: x -> k * x with per-image kernels, and its adjoint.

    Args:
        psf: (B, 1, h, w), odd sides; sets dtype and device.
        shape: (H, W) of the measurement.
        boundary: "valid" or "circular".
        cost: where calls are counted.
    """

    def __init__(self, psf: Tensor, shape: tuple[int, int], boundary: Boundary, cost: Cost | None = None):
        if psf.ndim != 4 or psf.shape[1] != 1 or psf.shape[-2] % 2 == 0 or psf.shape[-1] % 2 == 0:
            raise ValueError(f"psf must be (B, 1, h, w) with odd h and w, got {tuple(psf.shape)}")
        self.psf, self.shape = psf, shape
        self.boundary: Boundary = boundary
        self.cost = cost or Cost()

    @property
    def margin(self) -> tuple[int, int]:
        """(h // 2, w // 2): by how much the scene exceeds the sensor on each side; (0, 0) when circular."""
        h, w = self.psf.shape[-2:]
        return (h // 2, w // 2) if self.boundary == "valid" else (0, 0)

    @property
    def scene_shape(self) -> tuple[int, int]:
        """(H, W) of x."""
        (H, W), (a, b) = self.shape, self.margin
        return H + 2 * a, W + 2 * b

    @cached_property
    def _grid(self) -> tuple[int, int]:
        return fast_shape(self.scene_shape) if self.boundary == "valid" else self.shape

    @cached_property
    def _otf(self) -> Tensor:
        return otf(self.psf, self._grid)

    def otf(self, shape: tuple[int, int]) -> Tensor:
        """Transfer function on a periodic grid of that shape (see ``bench.imaging.blur.otf``)."""
        return otf(self.psf, shape)

    def A(self, x: Tensor) -> Tensor:
        """Blur scenes (B, C, *scene_shape) into measurements (B, C, *shape)."""
        self.cost.n_A += 1
        # Circular on a grid at least as large as the scene: what wraps around lands only in the cropped margin.
        return self.crop(self._apply(x, self._otf))

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The exact adjoint: <A x, y> = <x, A_adjoint y>, measurements to scenes."""
        self.cost.n_At += 1
        a, b = self.margin
        return self._apply(functional.pad(y, (b, b, a, a)), self._otf.conj())

    def crop(self, x: Tensor) -> Tensor:
        """The part of a scene (B, C, *scene_shape) that the sensor sees (B, C, *shape)."""
        (H, W), (a, b) = self.shape, self.margin
        return x[..., a : a + H, b : b + W]

    def _apply(self, x: Tensor, spectrum: Tensor) -> Tensor:
        (H, W), (gh, gw) = x.shape[-2:], self._grid
        out = convolve(functional.pad(x, (0, gw - W, 0, gh - H)), spectrum)
        return out[..., :H, :W]
