"""Multi-scale structural similarity: Wang, Simoncelli & Bovik, Asilomar Conference, 2003."""

from __future__ import annotations

import numpy as np

#: exponents of the scales, the finest first (section 4); they sum to 1
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5  #: of the Gaussian, in pixels
C1, C2 = 0.01**2, 0.03**2  #: (K1 L)², (K2 L)² at the data range L = 1


def smallest(scales: int) -> int:
    """Side of the least picture whose coarsest scale still holds a window."""
    return WINDOW * 2 ** (scales - 1)


def ms_ssim(x: np.ndarray, y: np.ndarray, scales: int) -> float:
    """Of two channels (H, W) in [0, 1]: l_M^(α_M) ∏ cs_j^(β_j), eq. 7 with α_M = β_M.

    Args:
        x, y: at least ``smallest(scales)`` on each side.
        scales: how many of the weights are used, the finest first; they are divided by their sum.
    """
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    value = 1.0
    for j, weight in enumerate(weights):
        luminance, contrast_structure = _similarity(x, y)
        last = j == scales - 1
        mean = float((luminance * contrast_structure if last else contrast_structure).mean())
        value *= max(mean, 0.0) ** weight  # a power of a negative number is none
        x, y = _halved(x), _halved(y)
    return value


def _similarity(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of l and of c s, eq. 1 to 3 with C3 = C2 / 2, at every window that lies within the picture."""
    mx, my = _windowed(x), _windowed(y)
    vx, vy, vxy = _windowed(x * x) - mx * mx, _windowed(y * y) - my * my, _windowed(x * y) - mx * my
    return (2 * mx * my + C1) / (mx**2 + my**2 + C1), (2 * vxy + C2) / (vx + vy + C2)


def _windowed(x: np.ndarray) -> np.ndarray:
    """Gaussian means of the windows within the picture, (H - 10, W - 10)."""
    from scipy.ndimage import correlate1d

    n = np.arange(WINDOW) - WINDOW // 2
    g = np.exp(-(n**2) / (2 * SIGMA**2))
    g /= g.sum()
    inside = slice(WINDOW // 2, -(WINDOW // 2))
    return correlate1d(correlate1d(x, g, 0), g, 1)[inside, inside]


def _halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; an odd last row or column is left out."""
    H, W = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    return x[:H, :W].reshape(H // 2, 2, W // 2, 2).mean((1, 3))
