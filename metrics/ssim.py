"""Structural similarity."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import ssim


@dataclass(frozen=True)
class Ssim(Metric):
    """Structural similarity of Wang et al. (2004): Gaussian window of sigma 1.5 (11 x 11), K1 = 0.01, K2 = 0.03,
    population covariance, data range 1, mean over channels (scikit-image).
    """

    label = "SSIM"
    range = (-1.0, 1.0)
    family = "structure"
    smallest = 11  # the window
    tolerance = (2e-5, 5e-4, 5e-3)
    reference = "Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13, 2004"

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """The mean over pixels and channels."""
        return ssim.ssim(truth, estimate)
