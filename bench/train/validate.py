"""Validation: denoising in one evaluation, of the same crops with the same noise every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bench.methods.networks.prior import DiffusionPrior, scalar
from bench.seeds import generator
from bench.train.losses import draw_times, frequency_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.train.recipe.base import NoiseConfig


def noisy(crops: np.ndarray, sigma: float) -> np.ndarray:
    """Crops in [-1, 1] plus noise of ``sigma`` grey levels of 255, each crop from its own generator."""
    noise = [generator("validation", i, float(sigma)).standard_normal(c.shape) for i, c in enumerate(crops)]
    return (crops + 2 * sigma / 255 * np.stack(noise)).astype(np.float32)


def psnr(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the crops of the PSNR in dB, images in [-1, 1], the estimate clipped to it."""
    error = ((estimate.clip(-1, 1) - truth) / 2).astype(np.float64) ** 2
    return float((-10 * np.log10(error.mean(axis=(1, 2, 3)).clip(min=1e-12))).mean())


@torch.no_grad()
def denoise(prior: DiffusionPrior, noisy: np.ndarray, sigma: float, batch: int = 32) -> np.ndarray:
    """E[x | noisy], sigma in grey levels of 255; float32 of the same shape."""
    device = next(prior.parameters()).device
    parts = [torch.from_numpy(noisy[i : i + batch]).to(device) for i in range(0, len(noisy), batch)]
    done = [prior.denoise(y, scalar(2 * sigma / 255, y)).cpu() for y in parts]
    return torch.cat(done).numpy()


def ssim(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean over crops (n, C, H, W) in [-1, 1] and colours of the metric ``ssim``, in [0, 1] units and clipped.

    Below 11 pixels, where the metric is undefined, the window shrinks with the crop.
    """
    from skimage.metrics import structural_similarity

    planes = (-1, *truth.shape[-2:])
    pairs = zip((estimate.clip(-1, 1).reshape(planes) + 1) / 2, (truth.reshape(planes) + 1) / 2, strict=True)
    options: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    win = min(11, (min(truth.shape[-2:]) - 1) // 2 * 2 + 1)
    return float(np.mean([structural_similarity(a, b, data_range=1.0, win_size=win, **options) for a, b in pairs]))


def validate(prior: DiffusionPrior, crops: np.ndarray, sigmas: Sequence[float]) -> dict[str, float]:
    """Mean PSNR in dB (``psnr_25``) and SSIM (``ssim_25``) of one-step denoising at each sigma of 255."""
    estimates = {s: denoise(prior, noisy(crops, s), s) for s in sigmas}
    figures = {f"psnr_{s:g}": psnr(estimates[s], crops) for s in sigmas}
    return figures | {f"ssim_{s:g}": ssim(estimates[s], crops) for s in sigmas}


@torch.no_grad()
def mean_losses(prior: DiffusionPrior, crops: np.ndarray, noise: NoiseConfig, batch: int = 32) -> tuple[float, float]:
    """Squared error of the prediction, and study 003's frequency loss of the x_0 that follows from it, on crops.

    At the noise levels of training, unweighted, the same draws every time.
    """
    device = next(prior.parameters()).device
    t = draw_times(prior.schedule, noise, len(crops), ("validation",)).to(device)
    unit = generator("validation loss").standard_normal(crops.shape)
    x0 = torch.from_numpy(crops).to(device)
    x_t, target = prior.target(x0, torch.from_numpy(unit).float().to(device), t)
    out = torch.cat([prior(x_t[i : i + batch], t[i : i + batch]) for i in range(0, len(crops), batch)])
    return float((out - target).square().mean()), float(frequency_loss(prior.x0_from(out, x_t, t), x0))
