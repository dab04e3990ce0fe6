"""Forward differences of images, their adjoint, and their spectra: the gradient that TV and Tikhonov penalise."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

#: "periodic": the last pixel's neighbour is the first; "neumann": the last pixel's difference is zero
Edges = Literal["periodic", "neumann"]


def differences(x: Tensor, edges: Edges = "periodic", out: Tensor | None = None) -> Tensor:
    """Forward differences D x of images (..., H, W): (2, ..., H, W), vertical then horizontal."""
    d = x.new_empty((2, *x.shape)) if out is None else out
    torch.sub(x[..., 1:, :], x[..., :-1, :], out=d[0][..., :-1, :])
    torch.sub(x[..., :, 1:], x[..., :, :-1], out=d[1][..., :, :-1])
    if edges == "periodic":
        torch.sub(x[..., :1, :], x[..., -1:, :], out=d[0][..., -1:, :])
        torch.sub(x[..., :, :1], x[..., :, -1:], out=d[1][..., :, -1:])
    else:
        d[0][..., -1, :] = 0
        d[1][..., :, -1] = 0
    return d


def difference_adjoint(d: Tensor, edges: Edges = "periodic", out: Tensor | None = None) -> Tensor:
    """D^T d, minus the divergence, of fields (2, ..., H, W): (..., H, W)."""
    v, h = d[0], d[1]
    x = torch.add(v, h, out=out).neg_()
    x[..., 1:, :] += v[..., :-1, :]
    x[..., :, 1:] += h[..., :, :-1]
    if edges == "periodic":
        x[..., 0, :] += v[..., -1, :]
        x[..., :, 0] += h[..., :, -1]
    else:
        x[..., -1, :] += v[..., -1, :]
        x[..., :, -1] += h[..., :, -1]
    return x


def laplacian_spectrum(shape: tuple[int, int], like: Tensor) -> Tensor:
    """Eigenvalues of D^T D on a periodic grid (H, W), laid out as rfft2 does: 4 sin^2(pi f) summed over both axes.

    Real, non-negative (H, W // 2 + 1), of the dtype and device of ``like``.
    """
    H, W = shape
    fv = torch.fft.fftfreq(H, dtype=torch.float64)
    fh = torch.fft.rfftfreq(W, dtype=torch.float64)
    spectrum = 4 * torch.sin(torch.pi * fv[:, None]) ** 2 + 4 * torch.sin(torch.pi * fh) ** 2
    return spectrum.to(like)
