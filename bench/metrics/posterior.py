"""What is measured on several posterior samples of one image together: sharpness and calibration."""

from __future__ import annotations

import math

import numpy as np


def crps(truth: np.ndarray, samples: np.ndarray) -> float:
    """Continuous ranked probability score, mean over pixels: mean|x_k - x| - mean_{i<j}|x_i - x_j| / 2.

    A proper score: in expectation least for samples of the true posterior, so that neither blurring nor inventing
    detail helps. The fair estimator (Ferro 2014, "Fair scores for ensemble forecasts", eq. 4) has no bias in K. One
    sample gives the mean absolute error.

    Args:
        truth: (C, H, W).
        samples: (K, C, H, W).
    """
    K = len(samples)
    skill = float(np.abs(samples - truth).mean())
    if K == 1:
        return skill
    # sum_{i<j} (x_(j) - x_(i)) from order statistics: each x_(k) counts 2k - K - 1 times, k = 1 .. K.
    weights = 2 * np.arange(1, K + 1) - K - 1
    spread = np.tensordot(weights, np.sort(samples, 0), 1).mean() / (K * (K - 1))
    return skill - float(spread)


def coverage(truth: np.ndarray, samples: np.ndarray, level: float) -> float | None:
    """Share of the pixels whose truth lies in the central interval of that probability; None for one sample.

    The interval is Student's prediction interval, mean ± t_{K-1} s √(1 + 1/K): exact at any K for Gaussian
    posteriors, where intervals between order statistics could not even reach 90 % with fewer than 19 samples.
    """
    from scipy.stats import t

    K = len(samples)
    if K == 1:
        return None
    half = t.ppf((1 + level) / 2, K - 1) * samples.std(0, ddof=1) * math.sqrt(1 + 1 / K)
    return float((np.abs(truth - samples.mean(0)) <= half).mean())
