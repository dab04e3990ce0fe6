"""Structural similarity of Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13, 2004."""

from __future__ import annotations

from typing import Any

import numpy as np

WINDOW = 11  # 2 round(3.5 sigma) + 1 pixels at sigma = 1.5


def ssim(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Mean over pixels and channels of pictures (C, H, W) of at least 11 x 11 pixels, in [0, 1]."""
    from skimage.metrics import structural_similarity

    value: Any = structural_similarity(
        truth, estimate, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, channel_axis=0
    )  # fmt: skip
    return float(value)
