"""PSNR of the luma alone, for those who must compare with tables of super-resolution."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import Context, Metric
from bench.scoring import mse
from bench.scoring.luma import STUDIO, luma


@dataclass(frozen=True)
class PsnrY(Metric):
    """PSNR of the luma of ITU-R BT.601 in studio swing, Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255 (MATLAB's
    rgb2ycbcr), nothing rounded to 8 bits; gray counts as R = G = B, which is 20 log10(255 / 219) = 1.32 dB above
    its PSNR.
    """

    label = "PSNR-Y"
    unit = "dB"
    digits = 2
    tolerance = (1e-3, 0.02, 0.15)
    reference = "Recommendation ITU-R BT.601-7"

    swing: Literal["studio", "full"] = "studio"  #: full: 0.299 R + 0.587 G + 0.114 B over the whole of [0, 1]

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """The offset 16 cancels in the difference."""
        swing = STUDIO if self.swing == "studio" else 1.0
        return mse.psnr(swing * luma(truth), swing * luma(estimate))
