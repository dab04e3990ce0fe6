"""Convolution as MATLAB's ``conv2(A, K, "same")`` aligns it, which the code of published metrics is written in."""

from __future__ import annotations

import numpy as np


def same(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(H, W): of an even kernel the part that starts at its second half, where scipy's starts a pixel before."""
    from scipy.signal import convolve2d

    (a, b), (H, W) = (n // 2 for n in kernel.shape), image.shape
    return convolve2d(image, kernel)[a : a + H, b : b + W]


def means_2x2(image: np.ndarray) -> np.ndarray:
    """(H, W): means of 2 x 2 pixels at every pixel."""
    return same(image, np.full((2, 2), 0.25))
