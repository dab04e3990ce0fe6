"""Gradient magnitude similarity deviation."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring.convolution import means_2x2, same
from bench.scoring.luma import luma

#: stability of the similarity: 170 for pictures in 0 .. 255
T = 170 / 255**2
PREWITT = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3


@dataclass(frozen=True)
class Gmsd(Metric):
    """Gradient magnitude similarity deviation of Xue et al. (2014): standard deviation over pixels of the similarity
    of Prewitt gradients, on the luma (BT.601) at half size, c = 170 / 255², zeros beyond the picture as in the
    authors' code.
    """

    label = "GMSD"
    better = "lower"
    range = (0.0, 0.5)  # the deviation of numbers between 0 and 1
    digits = 4
    family = "structure"
    smallest = 8
    tolerance = (1e-5, 2e-4, 2e-3)
    reference = "Xue, Zhang, Mou & Bovik, IEEE Trans. Image Process. 23, 2014"

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """Eq. 1 to 6."""
        m1, m2 = _gradient(luma(truth)), _gradient(luma(estimate))
        similarity = (2 * m1 * m2 + T) / (m1**2 + m2**2 + T)
        return float(similarity.std())


def _gradient(image: np.ndarray) -> np.ndarray:
    """Magnitude of the Prewitt gradient at half size, after means of 2 x 2 pixels."""
    half = means_2x2(image)[::2, ::2]
    return np.hypot(same(half, PREWITT), same(half, PREWITT.T))
