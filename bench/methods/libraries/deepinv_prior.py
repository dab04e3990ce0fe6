"""Our priors as deepinv denoisers."""

from __future__ import annotations

import torch
from deepinv.models import Denoiser as DeepinvDenoiser
from torch import Tensor

from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.levels import at_sigma


class DeepinvPrior(DeepinvDenoiser):
    """E[x | x + σ n] for images in [0, 1] and σ in the same units, as deepinv calls its denoisers.

    One image a call, or one σ for all: the first of the σ given is taken. The network works in its own dtype.
    """

    def __init__(self, prior: Denoiser, dtype: torch.dtype, device: torch.device):
        super().__init__(device=str(device))
        self.prior, self.dtype = prior, dtype

    def forward(self, x: Tensor, sigma: Tensor | float, **_: object) -> Tensor:
        """Denoise x (B, C, H, W)."""
        first = float(torch.as_tensor(sigma).reshape(-1)[0])
        level = at_sigma(self.prior.schedule, 2 * first)
        out = self.prior.x0(level.a * (2 * x.to(self.dtype) - 1), level)
        return (out.to(x) + 1) / 2
