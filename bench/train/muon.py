"""Muon: steps along the orthogonalised momentum of weight matrices (Jordan et al. 2024), Adam for all else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

#: Coefficients of the quintic Newton-Schulz iteration, from Jordan et al.: fast rather than exact.
QUINTIC = (3.4445, -4.7750, 2.0315)
#: Of the momentum, Nesterov's form.
MOMENTUM = 0.95
#: Kernels with fewer channels in or out are left to Adam: the first and the last convolution.
LEAST = 16


class Muon(torch.optim.Optimizer):
    """Kernels of convolutions are flattened to (out, in h w); a step has the RMS 0.2 lr.

    With that scale (Liu et al. 2025, "Muon is scalable for LLM training") one learning rate serves both kinds of
    parameters.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step along the gradients at hand; ``closure`` is not supported."""
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.mul_(1 - group["lr"] * group["weight_decay"])
                move = orthogonal if is_matrix(p) else adaptive
                p.sub_(move(p.grad, self.state[p], group["betas"]), alpha=group["lr"])


def is_matrix(p: Tensor) -> bool:
    """Whether a parameter is the kernel of a convolution between at least ``LEAST`` channels each."""
    return p.ndim == 4 and min(p.shape[:2]) >= LEAST


def orthogonal(gradient: Tensor, state: dict[str, Tensor], _: tuple[float, float]) -> Tensor:
    """The momentum with all singular values near one, scaled to the RMS 0.2."""
    momentum = state.setdefault("momentum", torch.zeros_like(gradient))
    momentum.lerp_(gradient, 1 - MOMENTUM)
    matrix = gradient.lerp(momentum, MOMENTUM).flatten(1)
    return 0.2 * math.sqrt(max(matrix.shape)) * orthogonalised(matrix).view(gradient.shape)


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """About U Vᵀ of the singular value decomposition U S Vᵀ: singular values between 0.7 and 1.2, in bfloat16."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


def adaptive(gradient: Tensor, state: dict[str, Tensor], betas: tuple[float, float]) -> Tensor:
    """Adam's direction (Kingma and Ba 2015)."""
    if not state:
        state |= {"step": torch.zeros(()), "exp_avg": torch.zeros_like(gradient)}
        state["exp_avg_sq"] = torch.zeros_like(gradient)
    state["step"] += 1
    n, mean, square = float(state["step"]), state["exp_avg"], state["exp_avg_sq"]
    mean.lerp_(gradient, 1 - betas[0])
    square.lerp_(gradient.square(), 1 - betas[1])
    return (mean / (1 - betas[0] ** n)) / ((square / (1 - betas[1] ** n)).sqrt() + 1e-8)
