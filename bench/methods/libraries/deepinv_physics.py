"""``bench.imaging.blur.Blur`` as a deepinv LinearPhysics, so that any deepinv model runs on our measurements."""

from __future__ import annotations

from functools import cached_property

import torch
from deepinv.physics import LinearPhysics, PoissonGaussianNoise
from torch import Tensor

from bench.contracts import NoiseLevel
from bench.imaging.blur import Blur


class BlurPhysics(LinearPhysics):
    """A, A_adjoint and the noise model with per-image gain and sigma; calls are counted by ``blur.cost``.

    Solves (A^T A + 1/gamma)^-1 in closed form when the boundary is circular, by deepinv's CG otherwise.
    """

    def __init__(self, blur: Blur, noise: NoiseLevel):
        super().__init__(img_size=(1, *blur.scene_shape))
        # deepinv divides by the gain: the smallest positive one stands for "no photon noise".
        gain = noise.gain.clamp(min=torch.finfo(noise.gain.dtype).eps)
        self.noise_model = PoissonGaussianNoise(gain=gain, sigma=noise.sigma, clip_positive=True)
        self.blur = blur

    def A(self, x: Tensor, **_: object) -> Tensor:
        """Blur scenes into measurements."""
        return self.blur.A(x)

    def A_adjoint(self, y: Tensor, **_: object) -> Tensor:
        """The exact adjoint."""
        return self.blur.A_adjoint(y)

    def prox_l2(
        self,
        z: Tensor | float | None,
        y: Tensor,
        gamma: float | Tensor,
        solver: str = "CG",
        max_iter: int | None = None,
        tol: float | None = None,
        verbose: bool = False,
        **kwargs: object,
    ) -> Tensor:
        """argmin_x gamma/2 |A x - y|^2 + 1/2 |x - z|^2, with gamma a number, (B,) or (B, 1, 1, 1)."""
        if isinstance(gamma, Tensor) and gamma.ndim == 1:
            gamma = gamma.view(-1, 1, 1, 1)
        if self.blur.boundary != "circular":
            return super().prox_l2(z, y, gamma, solver, max_iter, tol, verbose, **kwargs)
        if not isinstance(z, Tensor):
            z = torch.full_like(y, z or 0.0)
        K = self._otf
        rhs = torch.fft.rfft2(z) + gamma * K.conj() * torch.fft.rfft2(y)
        return torch.fft.irfft2(rhs / (1 + gamma * K.abs() ** 2), s=z.shape[-2:])

    @cached_property
    def _otf(self) -> Tensor:
        return self.blur.otf(self.blur.shape)
