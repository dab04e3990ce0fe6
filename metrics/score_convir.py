"""The score of study 004."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring.mse import psnr
from bench.scoring.ssim import ssim

#: dB that count as much as an SSIM of 1, and the points for both
DECIBELS, POINTS = 33.0, 100.0


@dataclass(frozen=True)
class ScoreConvir(Metric):
    """100 times the mean of PSNR / 33 and SSIM. The score of a solver averages it over the images of each dataset,
    then over datasets; a table over all images weighs large datasets more.
    """

    label = "Score"
    digits = 2
    family = "structure"
    smallest = 11  # SSIM's window
    tolerance = (2.5e-3, 0.05, 0.5)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """An image's part in 100 avg(PSNR / 33, SSIM): means of it are that of means."""
        return POINTS * (psnr(truth, estimate) / DECIBELS + ssim(truth, estimate)) / 2
