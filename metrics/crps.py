"""Continuous ranked probability score of samples."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import posterior


@dataclass(frozen=True)
class Crps(Metric):
    """Continuous ranked probability score of the samples, mean over pixels, fair estimator (Ferro 2014): least for
    samples of the true posterior; empty for a single estimate.
    """

    label = "CRPS"
    better = "lower"
    digits = 4
    family = "samples"
    of = "samples"
    frame = "cropped"
    tolerance = (2e-5, 2e-4, 1e-3)
    reference = "Ferro, Quarterly Journal of the Royal Meteorological Society 140, 2014"

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """None for one sample, whose absolute error is no judgement of a law."""
        return posterior.crps(truth, estimate) if len(estimate) > 1 else None
