"""PSNR that the mean of infinitely many samples would have."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import posterior
from bench.scoring.mse import decibels


@dataclass(frozen=True)
class PsnrExtrapolated(Metric):
    """PSNR of the mean of infinitely many samples: from the squared error of the mean of K less s² / K, which is
    unbiased; pixels whose mean is clipped are not corrected. Empty for a single estimate.
    """

    label = "PSNR of exact mean"
    unit = "dB"
    digits = 2
    family = "samples"
    of = "samples"
    frame = "cropped"
    tolerance = (1e-3, 0.02, 0.15)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """NaN where the error's estimate is not positive (few samples that scatter widely), None for one sample."""
        mse = posterior.mse_of_exact_mean(truth, estimate, context.clip)
        if mse is None:
            return None
        return decibels(mse) if mse > 0 else float("nan")
