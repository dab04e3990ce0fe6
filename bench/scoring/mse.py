"""Mean squared error in decibels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np  # by its arrays' methods alone


def psnr(truth: np.ndarray, estimate: np.ndarray) -> float:
    """-10 log10 of the mean squared error; +inf for identical images: a cap would be an invented number."""
    return decibels(float(((truth - estimate) ** 2).mean()))


def decibels(mse: float) -> float:
    """-10 log10 of a mean squared error at data range 1."""
    return float("inf") if mse == 0 else -10 * math.log10(mse)
