"""The residual that a posterior mean with this error would leave."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import residual


@dataclass(frozen=True)
class ResidualChi2Expected(Metric):
    """What residual_chi2 should be. Of several samples 1, as of the truth. Of a point estimate
    1 - mean of (K(estimate - truth))² / noise variance: the residual of a posterior mean, or of any linear estimate
    with the least squared error, lies below the noise by its own error in the blurred picture. A χ² above it leaves
    signal in the residual, one below it fits noise; below 0 the error is one that no posterior mean has.
    """

    # y - K x̂ = n + K(x - x̂). The error of a posterior mean is orthogonal to every function of y, to its residual
    # among them, in each pixel: E (K(x - x̂))_i (y - K x̂)_i = 0. Hence E n_i (K(x - x̂))_i = -E (K(x - x̂))_i² and
    # E (y - K x̂)_i² = E n_i² - E (K(x - x̂))_i². In expectation this is 1 - tr(K Σ Kᵀ)/(N σ²), Σ the posterior
    # covariance, and 1 - df/N, df the divergence of y -> K x̂: of a linear x̂ = R y the trace of the hat matrix K R.
    label = "χ² expected"
    better = "one"
    range = (None, 1.0)
    digits = 2
    family = "check"
    of = "samples"
    frame = "whole"
    tolerance = (1e-3, 0.02, 0.1)
    reference = "Stein 1981, Ann. Statist. 9, 1135 (degrees of freedom as a divergence)"

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """NaN and None where ``residual_chi2`` is."""
        if context.psf is None:
            return None
        if not residual.defined("residual_chi2_expected", truth.shape, context):
            return float("nan")
        if len(estimate) > 1:
            return 1.0
        error = residual.blurred(estimate[0] - truth, context)
        return 1 - float((error**2 / residual.variance(residual.blurred(estimate[0], context), context)).mean())
