"""Conjugate gradients, each image on its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.methods.classical.optim import image_sums

#: What the data steps of samplers need: a residual of this, relative to the right-hand side, costs none of them more
#: than 0.02 dB against one of 1e-4.
TOLERANCE = 1e-2
#: Directions that there is room for at first: most systems need no more, and on large pictures each is as large.
FEW = 8


def conjugate_gradients(
    system: Callable[[Tensor], Tensor],
    b: Tensor,
    precondition: Callable[[Tensor], Tensor],
    start: Tensor | None = None,
    *,
    tolerance: float = TOLERANCE,
    most: int = 50,
) -> Tensor:
    """x of system(x) = b for symmetric positive definite maps (Hestenes & Stiefel 1952, preconditioned).

    An image stops when its residual has fallen to ``tolerance`` of its right-hand side, whatever its neighbours do.
    Residuals are made conjugate to all earlier ones: rounding would otherwise grow a thousandfold in a few steps,
    and with it the difference between an image alone and in a batch.

    Args:
        system, precondition: linear maps (n, 1, H, W) -> (n, 1, H, W); the second near the first's inverse.
        b: right-hand sides.
        start: first guess; zero by default.
        most: iterations at most.
    """
    tiny = torch.finfo(b.dtype).tiny
    x = torch.zeros_like(b) if start is None else start.clone()
    r = b if start is None else b - system(x)
    limit = tolerance**2 * image_sums(b * b)
    z = precondition(r)
    p, rz = z, image_sums(r * z)
    Z = b.new_empty(len(b), min(FEW, most), *b.shape[1:])  # z_j, and r_j / (r_j · z_j)
    R = torch.empty_like(Z)
    for k in range(most):
        going = image_sums(r * r) > limit
        some = going.tolist()
        if not any(some):
            break
        Sp = system(p)
        alpha = rz / image_sums(p * Sp).clamp_(min=tiny)
        if k == Z.shape[1]:
            Z, R = (torch.cat([v, torch.empty_like(v)], 1) for v in (Z, R))
        Z[:, k], R[:, k] = z, r / _each(rz.clamp(min=tiny))
        if not all(some):
            # An image that has stopped leaves no directions: it would be made conjugate to itself, which is 0 / 0.
            alpha = torch.where(going, alpha, 0)
            Z[~going, k], R[~going, k] = 0, 0
        alpha = _each(alpha)
        x += alpha * p
        r = r - alpha * Sp
        overlap = Z[:, : k + 1].flatten(2) @ r.flatten(1)[:, :, None]
        r -= (R[:, : k + 1].flatten(2).transpose(1, 2) @ overlap).view_as(r)
        z = precondition(r)
        rz, before = image_sums(r * z), rz
        p = z + _each(rz / before.clamp(min=tiny)) * p
    return x


def _each(values: Tensor) -> Tensor:
    """A number of each image (n,) beside its pixels."""
    return values.view(-1, 1, 1, 1)
