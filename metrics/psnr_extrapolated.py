"""PSNR that the mean of infinitely many samples would have."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import posterior
from bench.scoring.evaluate import log_once
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
        """NaN where the error's estimate is not positive, None for one sample."""
        mse = posterior.mse_of_exact_mean(truth, estimate, context.clip)
        if mse is None:
            return None
        if mse <= 0:
            log_once("psnr_extrapolated is undefined where the samples scatter more than their mean errs: NaN")
            return float("nan")
        return decibels(mse)
