"""What an estimate leaves of the measurement: y - K x, by the true PSF and noise level, for metrics that ask."""

from __future__ import annotations

import numpy as np

from bench.contracts import Context
from bench.imaging.measure import blur_circular
from bench.scoring.evaluate import log_once


def defined(name: str, shape: tuple[int, ...], context: Context) -> bool:
    """Whether some pixel and some noise is left to compare with; if not, the log says so once.

    Args:
        name: of the metric that asks.
        shape: of the picture, (..., H, W).
        context: with a PSF.
    """
    assert context.psf is not None
    (gain, sigma), (h, w), (H, W) = context.level, context.psf.shape, shape[-2:]
    if h > H or w > W or (gain == 0 and sigma == 0):
        log_once(f"{name} is undefined at noise {context.level}, PSF {h} x {w}, image {H} x {W}: NaN")
        return False
    return True


def inside(image: np.ndarray, context: Context) -> np.ndarray:
    """The pixels whose blur needs nothing from outside the sensor.

    Of ``valid`` data (C, H - h + 1, W - w + 1) of (C, H, W), of ``circular`` data all.
    """
    assert context.psf is not None
    (h, w), (H, W) = context.psf.shape, image.shape[-2:]
    a, b = (h // 2, w // 2) if context.boundary == "valid" else (0, 0)
    return image[:, a : H - a, b : W - b]


def blurred(image: np.ndarray, context: Context) -> np.ndarray:
    """K x ``inside``, of a picture (C, H, W)."""
    assert context.psf is not None
    return inside(blur_circular(image, context.psf), context)


def variance(Kx: np.ndarray, context: Context) -> np.ndarray:
    """Of the noise at the intensities K x, of the same shape.

    Without read noise an intensity below one photon counts as one, max(K x, gain): the variance would vanish.
    """
    gain, sigma = context.level
    return gain * Kx.clip(min=0.0 if sigma > 0 else gain) + sigma**2
