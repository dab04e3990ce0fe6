"""What a trained denoiser has to beat: scikit-image's classical denoisers, tuned on the very same crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

from bench.train.validate import noisy, psnr

Denoiser = Callable[[np.ndarray], np.ndarray]


def candidates(sigma: float) -> Iterator[tuple[str, Denoiser]]:
    """Name and denoiser of one image (H, W) in [0, 1], for noise of standard deviation ``sigma`` in [0, 1]."""
    for h in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        for patch in (3, 5, 7):
            yield "nl_means", _nl_means(sigma, h * sigma, patch)
    for weight in (0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.3, 1.6):
        yield "tv", _tv(weight * sigma)
    for scale in (0.4, 0.6, 0.8, 1.0, 1.2):
        for method in ("BayesShrink", "VisuShrink"):
            yield "wavelet", _wavelet(scale * sigma, method)


def _nl_means(sigma: float, h: float, patch: int) -> Denoiser:
    return lambda y: denoise_nl_means(y, patch, 9, h, fast_mode=True, sigma=sigma)


def _tv(weight: float) -> Denoiser:
    return lambda y: denoise_tv_chambolle(y, weight, eps=1e-5, max_num_iter=500)


def _wavelet(sigma: float, method: str) -> Denoiser:
    return lambda y: denoise_wavelet(y, sigma, wavelet="sym4", method=method, mode="soft")


def tuned(crops: np.ndarray, sigma: float) -> dict[str, float]:
    """Best mean PSNR in dB of each method on crops (n, 1, H, W) in [-1, 1]; ``sigma`` in grey levels of 255.

    Noise and measure are those of the prior's validation; the settings are chosen on these same crops, which
    favours the classical methods.
    """
    measured = (noisy(crops, sigma)[:, 0] + 1) / 2
    best: dict[str, float] = {}
    for name, denoiser in candidates(sigma / 255):
        estimate = np.stack([denoiser(y) for y in measured])[:, None] * 2 - 1
        best[name] = max(best.get(name, 0.0), psnr(estimate, crops))
    return best
