"""What a sampler needs of a prior: E[x_0 | x_t], how wrong it is, and a count of its calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from bench.contracts import Cost
from bench.methods.diffusion.levels import Level
from bench.methods.diffusion.schedule import Schedule


class Prior(Protocol):
    """A denoiser of images in [-1, 1] under a variance-preserving schedule: trained, or known in closed form."""

    @property
    def schedule(self) -> Schedule:
        """Noise levels."""
        ...

    @property
    def channels(self) -> int:
        """Of its images: 1 for gray, 3 for colours that it sees together."""
        ...

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        ...

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t], (B, channels, H, W), at real steps t (B,)."""
        ...

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """C(f) = E|F(x_0 - E[x_0 | x_t])|² / (H W) at s/a = sigma: rfft2 layout (H, W // 2 + 1).

        At infinite sigma it is the power spectrum of the images themselves, less their mean. Of a colour prior: that
        of each opponent component (see ``bench.methods.diffusion.colours``), (channels, H, W // 2 + 1), or one that
        holds for all of them.
        """
        ...

    @property
    def mean(self) -> float:
        """Mean intensity of the images, in [-1, 1]."""
        ...


class Denoiser:
    """A prior whose calls are counted and which takes any image size."""

    def __init__(self, prior: Prior, cost: Cost | None = None):
        self.prior, self.cost = prior, cost or Cost()
        self.schedule, self.channels, self.stride = prior.schedule, prior.channels, prior.stride
        self.mean = prior.mean

    def x0(self, x: Tensor, level: Level | Sequence[Level]) -> Tensor:
        """E[x_0 | x_t] (B, channels, H, W), not clipped; differentiable in x. ``level``: of all, or of each."""
        self.cost.nfe_forward += 1
        H, W = x.shape[-2:]
        bottom, right = -H % self.stride, -W % self.stride
        if bottom or right:
            x = functional.pad(x, (0, right, 0, bottom), mode="replicate")
        times = [level.t] * len(x) if isinstance(level, Level) else [each.t for each in level]
        t = torch.tensor(times, dtype=torch.float64, device=x.device)
        out = self.prior.x0(x, t)[..., :H, :W]
        if out.requires_grad:
            out.register_hook(self._count_backward)
        return out

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """See ``Prior.error_power``."""
        return self.prior.error_power(sigma, shape, like)

    def _count_backward(self, _: Tensor) -> None:
        self.cost.nfe_backward += 1
