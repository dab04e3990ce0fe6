"""A metric of one's own."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from tiny_deblur.factors import HALF


@dataclass(frozen=True)
class WorstPixel(Metric):
    """The largest error of a pixel, 1 from half of the range on."""

    label = "worst pixel"
    better = "lower"
    range = (0.0, 1.0)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """The maximum over pixels and colours."""
        return min(1.0, float(np.abs(estimate - truth).max()) / HALF)
