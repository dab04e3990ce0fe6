"""Opponent colours: lightness and two colour differences, in which the errors of a colour denoiser hardly correlate.

The blur is the same for all channels and the noise white across them, so that an orthonormal mixing U of the
channels changes neither: y = A x + n holds for U y, U x and U n. What the denoiser leaves of a picture is far from
white: red, green and blue are wrong together. In U = DCT-II over the channels, which for three of them is
(R + G + B)/√3, (R - B)/√2, (R - 2 G + B)/√6, the colours of photographs are all but uncorrelated (Ruderman, Cronin &
Chiao 1998, JOSA A 15(8); the same transform serves CBM3D, Dabov et al. 2007). A covariance of the error is therefore
held as one power spectrum for each opponent component, instead of a 3 × 3 matrix at every frequency.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from bench.errors import SettingError
from bench.imaging.blur import convolve


def to_opponent(x: Tensor) -> Tensor:
    """U x over the channels of (..., C, H, W)."""
    if x.shape[-3] == 1:
        return x
    return torch.einsum("kc,...chw->...khw", _mixing(x.shape[-3], x.dtype, x.device), x)


def from_opponent(z: Tensor) -> Tensor:
    """Uᵀ z, the inverse of ``to_opponent``."""
    return torch.einsum("kc,...khw->...chw", _mixing(z.shape[-3], z.dtype, z.device), z)


def convolve_opponent(x: Tensor, spectrum: Tensor) -> Tensor:
    """x (n, C, H, W) convolved with ``spectrum``, (n or 1, C, H, W // 2 + 1), in opponent colours.

    A spectrum without channels of its own, (..., 1, H, W // 2 + 1) or (H, W // 2 + 1), is the same in any colours:
    nothing is mixed then, so that gray images pass as through ``convolve``.
    """
    if spectrum.ndim < 3 or spectrum.shape[-3] == 1:
        return convolve(x, spectrum)
    return from_opponent(convolve(to_opponent(x), spectrum))


def shared_channels(of_prior: int, of_picture: int) -> int:
    """Channels of the images that a prior sees of a picture: all of them, or one by one.

    Raises SettingError when neither fits.
    """
    if of_prior in (1, of_picture):
        return of_prior
    if of_picture == 1:
        raise SettingError(
            f"this prior is one of pictures with {of_prior} channels, the data are gray: take a gray prior (photos), "
            "or colour data (`mode: rgb`)"
        )
    raise SettingError(f"this prior is one of pictures with {of_prior} channels, the data have {of_picture}")


@lru_cache(maxsize=8)
def _mixing(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """U (C, C): U_kc = √(2/C) cos(π k (c + 1/2) / C), the first row 1/√C."""
    k, c = torch.meshgrid(*[torch.arange(channels, dtype=torch.float64)] * 2, indexing="ij")
    U = math.sqrt(2 / channels) * torch.cos(math.pi * k * (c + 0.5) / channels)
    U[0] /= math.sqrt(2)
    return U.to(device=device, dtype=dtype)
