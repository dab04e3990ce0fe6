"""Whether the estimate explains the measurement."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import residual


@dataclass(frozen=True)
class ResidualChi2(Metric):
    """Mean of (y - Kx)² / (gain max(Kx, 0) + sigma²) with the true PSF and noise level; on valid data over the
    interior that needs nothing from outside the sensor. About 1 for the truth and for a posterior sample; what a
    point estimate should have is residual_chi2_expected.
    """

    label = "χ²"
    better = "one"
    range = (0.0, None)
    digits = 2
    family = "check"
    frame = "whole"
    needs_truth = False
    tolerance = (1e-3, 0.02, 0.1)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """NaN without any noise, or when no pixel is left; None where nobody knows the PSF."""
        if context.psf is None:
            return None
        if not residual.defined("residual_chi2", estimate.shape, context):
            return float("nan")
        Kx, y = residual.blurred(estimate, context), residual.inside(context.y, context)
        return float(((y - Kx) ** 2 / residual.variance(Kx, context)).mean())
