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
    x = torch.zeros_like(b) if start is None else start
    r = b if start is None else b - system(x)
    limit = tolerance**2 * image_sums(b**2)
    z = precondition(r)
    p, rz = z, image_sums(r * z)
    Z = b.new_empty(len(b), min(FEW, most), b[0].numel())  # z_j, and r_j / (r_j · z_j)
    R = torch.empty_like(Z)
    for k in range(most):
        going = image_sums(r**2) > limit
        if not bool(going.any()):
            break
        Sp = system(p)
        alpha = torch.where(going, rz / image_sums(p * Sp).clamp(min=torch.finfo(b.dtype).tiny), 0).view(-1, 1, 1, 1)
        if k == Z.shape[1]:
            Z, R = (torch.cat([v, torch.empty_like(v)], 1) for v in (Z, R))
        # An image that has stopped leaves no directions: it would be made conjugate to itself, which is 0 / 0.
        Z[:, k] = torch.where(going[:, None], z.flatten(1), 0)
        R[:, k] = torch.where(going[:, None], r.flatten(1) / rz.clamp(min=torch.finfo(b.dtype).tiny)[:, None], 0)
        x, r = x + alpha * p, r - alpha * Sp
        overlap = Z[:, : k + 1] @ r.flatten(1)[:, :, None]
        r = r - (R[:, : k + 1].transpose(1, 2) @ overlap).view_as(r)
        z = precondition(r)
        rz, before = image_sums(r * z), rz
        p = z + (rz / before.clamp(min=torch.finfo(b.dtype).tiny)).view(-1, 1, 1, 1) * p
    return x
