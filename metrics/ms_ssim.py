"""Structural similarity over several scales."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric, SettingError
from bench.scoring import multiscale
from bench.scoring.evaluate import log_once


@dataclass(frozen=True)
class MsSsim(Metric):
    """Multi-scale structural similarity of Wang, Simoncelli & Bovik (2003): contrast and structure at five scales,
    luminance at the coarsest, windows of 11 x 11 that lie within the picture, means of 2 x 2 pixels between scales, a
    negative mean of a scale taken as 0; mean over channels. Needs 176 x 176 pixels, of fewer scales fewer.
    """

    label = "MS-SSIM"
    range = (0.0, 1.0)
    digits = 4
    family = "structure"
    smallest = 11
    tolerance = (2e-6, 2e-4, 2e-3)
    reference = "Wang, Simoncelli & Bovik, Asilomar Conference on Signals, Systems & Computers, 2003"

    scales: int = 5  #: of the five the finest so many, their weights divided by their sum

    def __post_init__(self) -> None:
        if not 1 <= self.scales <= len(multiscale.WEIGHTS):
            raise SettingError(f"ms_ssim: scales must be 1 to {len(multiscale.WEIGHTS)}, got {self.scales}")

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """NaN where the coarsest scale would be smaller than the window."""
        least = multiscale.smallest(self.scales)
        if min(truth.shape[-2:]) < least:
            log_once(f"ms_ssim with {self.scales} scales needs at least {least} x {least} pixels: NaN")
            return float("nan")
        channels = zip(truth, estimate, strict=True)
        return float(np.mean([multiscale.ms_ssim(x, y, self.scales) for x, y in channels]))
