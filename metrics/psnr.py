"""Peak signal-to-noise ratio."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import mse


@dataclass(frozen=True)
class Psnr(Metric):
    """-10 log10 of the mean squared error, data range 1; infinite for identical images."""

    label = "PSNR"
    unit = "dB"
    digits = 2
    tolerance = (1e-3, 0.02, 0.15)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """Over all pixels and channels alike."""
        return mse.psnr(truth, estimate)
