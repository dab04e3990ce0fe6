"""Calibration of samples: how often an interval of 90 % holds the truth."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import posterior


@dataclass(frozen=True)
class Coverage90(Metric):
    """Share of the pixels inside the central 90 % interval: Student's prediction interval from mean and standard
    deviation of the samples, pixel by pixel; a truth on its end counts half; empty for a single estimate.
    """

    label = "Coverage 90 %"
    better = "one"
    target = 0.9
    range = (0.0, 1.0)
    digits = 2
    family = "samples"
    of = "samples"
    frame = "cropped"
    tolerance = (2e-3, 0.01, 0.05)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """None for one sample."""
        return posterior.coverage(truth, estimate, 0.9)
