"""Losses of restorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from bench.train.restoration import RestorationLoss


def restoration(config: RestorationLoss, outputs: Sequence[Tensor], x: Tensor) -> Tensor:
    """The loss of estimates, from fine to coarse, of x (B, C, H, W): a scalar."""
    if config.name == "multiscale":
        return multiscale([o.float() for o in outputs], x, config.frequency)
    difference = outputs[0].float() - x
    return difference.abs().mean() if config.name == "l1" else (difference.square() + 1e-6).sqrt().mean()


def multiscale(outputs: Sequence[Tensor], x: Tensor, frequency: float) -> Tensor:
    """Σ_i mean |x̂_i - x_i| + λ mean |(Re, Im) F x̂_i - (Re, Im) F x_i|, with F the unnormalised 2-D FFT.

    Seed 004, equations 3 to 5. Truths of the coarser scales are bilinear samples of x. A network with one output has
    one term.
    """
    total = x.new_zeros(())
    for out in outputs:
        truth = x if out.shape == x.shape else interpolate(x, out.shape[-2:], mode="bilinear")
        difference = out - truth
        spectrum = torch.view_as_real(torch.fft.fft2(difference))  # F is linear
        total = total + difference.abs().mean() + frequency * spectrum.abs().mean()
    return total


def gradient_norm(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """The Euclidean norm of the gradient of the loss in all parameters, itself differentiable."""
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    return torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt()
