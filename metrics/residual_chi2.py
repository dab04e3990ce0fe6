"""Whether the estimate explains the measurement."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.imaging.measure import blur_circular
from bench.scoring.evaluate import log_once


@dataclass(frozen=True)
class ResidualChi2(Metric):
    """Mean of (y - Kx)² / (gain max(Kx, 0) + sigma²) with the true PSF and noise level; on valid data over the
    interior that needs nothing from outside the sensor. About 1 for the truth; above 1 the data are missed, below 1
    noise is fitted.
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
        """On ``valid`` data over the interior (H - h + 1, W - w + 1), on ``circular`` data over all of it.

        Without read noise an intensity below one photon counts as one, max(K x, gain): the variance would vanish. NaN
        without any noise, or when no pixel is left; None where nobody knows the PSF.
        """
        if context.psf is None:
            return None
        (gain, sigma), (h, w), (H, W) = context.level, context.psf.shape, estimate.shape[-2:]
        if h > H or w > W or (gain == 0 and sigma == 0):
            log_once(f"residual_chi2 is undefined at noise {context.level}, PSF {h} x {w}, image {H} x {W}: NaN")
            return float("nan")
        Kx = blur_circular(estimate, context.psf)
        a, b = (h // 2, w // 2) if context.boundary == "valid" else (0, 0)
        Kx, y = (z[:, a : H - a, b : W - b] for z in (Kx, context.y))
        variance = gain * Kx.clip(min=0.0 if sigma > 0 else gain) + sigma**2
        return float(((y - Kx) ** 2 / variance).mean())
