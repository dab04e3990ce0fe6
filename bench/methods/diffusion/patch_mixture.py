"""Patches of images as a mixture of Gaussians: EPLL's prior, and its exact denoiser of patches.

A patch is x = d 1 + z: its mean d, and what remains, z ~ Σ_k π_k N(0, Σ_k) (Zoran & Weiss 2011, section 5, who remove
the mean before they fit). They let the mean of a noisy patch pass; here d ~ N(m, v), independent of z, which is the
same at the noise of photographs and stays finite at that of a sampler's first steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from bench.errors import SettingError
from bench.methods.diffusion.error_spectrum import ErrorPower
from bench.methods.diffusion.schedule import Schedule

#: Numbers that a band of patches may hold while its components are weighed: 16 MiB in single precision.
BUDGET = 2**22


class PatchMixture(nn.Module):
    """E[patch | noisy patch] of every overlapping patch, averaged where patches overlap (a ``PriorModel``, gray).

    For y = x + σ n a component's posterior mean is a Wiener filter, and the mixture's is their mean, weighed by how
    well each explains the patch:

        E[z | y] = Σ_k w_k Σ_k (Σ_k + σ² I)⁻¹ y,    w_k ∝ π_k N(y; 0, Σ_k + σ² I),

    exact for a patch by itself. The average over patches is what EPLL's first half-step takes with equal weights; it
    is the posterior mean of no prior of whole images, and knows nothing wider than a patch.

    Args:
        shares: π (K,), positive; normalised here.
        covariances: Σ (K, p², p²) of patches p x p in [-1, 1] units, their mean removed.
        mean, variance: m and v, of the patches' means.
        error: how wrong it was measured to be, if it was.

    Raises SettingError for arrays that do not belong together.
    """

    channels = 1
    stride = 1

    def __init__(
        self, shares: Tensor, covariances: Tensor, mean: float, variance: float, error: ErrorPower | None = None
    ) -> None:
        super().__init__()
        self.side = math.isqrt(covariances.shape[-1])
        if covariances.shape != (len(shares), self.side**2, self.side**2):
            raise SettingError(
                f"a mixture of {len(shares)} Gaussians on square patches has as many square covariances, got "
                f"{tuple(covariances.shape)}"
            )
        spectrum, axes = torch.linalg.eigh(covariances.double())
        self.spectrum = nn.Buffer(spectrum.clamp(min=0))  # (K, p²): variances of a component along its axes
        self.axes = nn.Parameter(axes)  # (K, p², p²): columns are eigenvectors
        self.log_shares = nn.Parameter((shares.double() / shares.double().sum()).log())
        self.requires_grad_(False)
        self.patch_mean, self.patch_variance = mean, variance
        self.schedule, self.error = Schedule.make("linear"), error

    @property
    def mean(self) -> float:
        """Mean intensity of the images, in [-1, 1]."""
        return self.patch_mean

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:
        """As measured, if it was."""
        return None if self.error is None else self.error(sigma, shape, like)

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """The estimate of x_0, (B, 1, H, W), at real steps t (B,). Raises SettingError below a patch's size."""
        H, W = x.shape[-2:]
        if min(H, W) < self.side:
            raise SettingError(f"patches of {self.side} x {self.side} pixels do not fit on {H} x {W}")
        a, s = (v.to(x.dtype).view(-1, 1, 1) for v in self.schedule.scales(t))
        y, sigma = x / a[..., None], s / a
        total, count = torch.zeros_like(x), x.new_zeros(H, W)
        rows = max(1, BUDGET // (len(x) * W * self.spectrum.numel()))
        for top in range(0, H - self.side + 1, rows):
            band = slice(top, min(top + rows + self.side - 1, H))
            total[:, :, band] += self._band(y[:, :, band], sigma)
            count[band] += self._counts(y[:1, :, band])
        return total / count

    def patches(self, y: Tensor, sigma: Tensor) -> Tensor:
        """E[x | y] of patches (B, n, p²) with noise of standard deviation sigma (B, 1, 1)."""
        mean = y.mean(-1, keepdim=True)
        along = torch.einsum("bnd,kde->bkne", y - mean, self.axes)
        noisy = (self.spectrum[:, None] + sigma[..., None] ** 2).expand(len(y), -1, -1, -1)  # (B, K, 1, p²)
        log = self.log_shares[:, None] - 0.5 * (along**2 / noisy + noisy.log()).sum(-1)
        weight = log.softmax(1)[..., None]
        z = torch.einsum("bkne,kde->bnd", weight * self.spectrum[:, None] / noisy * along, self.axes)
        gain = self.patch_variance / (self.patch_variance + sigma**2 / self.side**2)
        return z + self.patch_mean + gain * (mean - self.patch_mean)

    def _band(self, y: Tensor, sigma: Tensor) -> Tensor:
        """The sum of the estimates of all patches in some rows, (B, 1, h, W)."""
        if not y.requires_grad:
            return self._summed(y, sigma)
        summed = checkpoint(self._summed, y, sigma, use_reentrant=False, preserve_rng_state=False)
        assert isinstance(summed, Tensor)
        return summed

    def _summed(self, y: Tensor, sigma: Tensor) -> Tensor:
        estimates = self.patches(functional.unfold(y, self.side).mT, sigma)
        return functional.fold(estimates.mT, (y.shape[-2], y.shape[-1]), self.side)

    def _counts(self, y: Tensor) -> Tensor:
        """How many patches each pixel of some rows lies in, (h, W)."""
        ones = functional.unfold(torch.ones_like(y), self.side)
        return functional.fold(ones, (y.shape[-2], y.shape[-1]), self.side)[0, 0]
