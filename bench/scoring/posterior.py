"""What is measured on several posterior samples of one image together: sharpness and calibration."""

from __future__ import annotations

import math

import numpy as np


def crps(truth: np.ndarray, samples: np.ndarray) -> float:
    """Continuous ranked probability score, mean over pixels: mean|x_k - x| - mean_{i<j}|x_i - x_j| / 2.

    A proper score: in expectation least for samples of the true posterior, so that neither blurring nor inventing
    detail helps. The fair estimator (Ferro 2014, "Fair scores for ensemble forecasts", eq. 4) has no bias in K. Of
    one sample it is the mean absolute error, no judgement of a law: ``evaluate`` leaves it out.

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
    posteriors, where intervals between order statistics could not even reach 90 % with fewer than 19 samples. A truth
    on its very end counts half: where all samples are clipped to the value that a clipped truth has too, neither
    "inside" nor "outside" could be earned. Samples must not be clipped here: that would shrink their spread alone.

    Args:
        truth: (C, H, W).
        samples: (K, C, H, W), as they were drawn.
        level: probability, in (0, 1).
    """
    from scipy.stats import t

    K = len(samples)
    if K == 1:
        return None
    half = t.ppf((1 + level) / 2, K - 1) * samples.std(0, ddof=1) * math.sqrt(1 + 1 / K)
    distance = np.abs(truth - samples.mean(0))
    return float((distance < half).mean() + (distance == half).mean() / 2)


def mse_of_exact_mean(truth: np.ndarray, samples: np.ndarray, clip: bool) -> float | None:
    """Mean squared error that the mean of infinitely many samples would have, from K; None for one sample.

    With independent samples of mean m and variance v at a pixel, E (x̄ - x)² = (m - x)² + v / K, and s² / K (with
    K - 1 in s²) estimates the last term without bias: the mean over pixels of (x̄ - x)² - s² / K has expectation
    (m - x)² at every K. Where ``clip`` moves x̄ to 0 or 1, the error does not depend on how x̄ scatters, and nothing is
    subtracted. The estimate itself scatters, and may be negative where the truth is the mean.

    Args:
        truth: (C, H, W).
        samples: (K, C, H, W), as they were drawn.
        clip: whether estimates are clipped to [0, 1] before they are scored.
    """
    K = len(samples)
    if K == 1:
        return None
    mean, variance = samples.mean(0), samples.var(0, ddof=1)
    if clip:
        variance = np.where((mean >= 0) & (mean <= 1), variance, 0.0)
        mean = mean.clip(0, 1)
    return float(((mean - truth) ** 2 - variance / K).mean())
