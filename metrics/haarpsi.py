"""Haar wavelet-based perceptual similarity index."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric, SettingError
from bench.scoring.convolution import means_2x2, same

#: of R, G and B in Y, I and Q, as the authors' code has them
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
SCALES = 3


@dataclass(frozen=True)
class HaarPsi(Metric):
    """Haar wavelet-based perceptual similarity index of Reisenhofer et al. (2018): similarity of Haar coefficients at
    two scales, weighted by those of the third, at half size; of colour pictures the chroma too (YIQ).
    """

    label = "HaarPSI"
    range = (0.0, 1.0)
    digits = 4
    family = "structure"
    smallest = 16
    tolerance = (2e-5, 5e-4, 5e-3)
    reference = "Reisenhofer, Bosse, Kutyniok & Wiegand, Signal Processing: Image Communication 61, 2018"

    C: float = 30.0  #: stability, for pictures in 0 .. 255; 5 for medical pictures (Karner et al. 2024)
    alpha: float = 4.2  #: slope of the logistic function; 4.9 for medical pictures

    def __post_init__(self) -> None:
        if not (self.C > 0 and self.alpha > 0):
            raise SettingError(f"haarpsi: C and alpha must be positive, got {self.C} and {self.alpha}")

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """Eq. 10 to 12; 1 of two pictures without any edge, whose weights vanish."""
        (y1, *chroma1), (y2, *chroma2) = _planes(truth), _planes(estimate)
        similarities, weights = [], []
        for axis in (0, 1):
            a, b = ([np.abs(_haar(y, scale, axis)) for scale in range(1, SCALES + 1)] for y in (y1, y2))
            similarities.append(np.mean([self._similarity(a[j], b[j]) for j in range(SCALES - 1)], axis=0))
            weights.append(np.maximum(a[-1], b[-1]))
        if chroma1:
            pairs = [(means_2x2(c1), means_2x2(c2)) for c1, c2 in zip(chroma1, chroma2, strict=True)]
            similarities.append(np.mean([self._similarity(np.abs(a), np.abs(b)) for a, b in pairs], axis=0))
            weights.append((weights[0] + weights[1]) / 2)
        w, s = np.stack(weights), np.stack(similarities)
        if not w.any():
            return 1.0
        p = (w / (1 + np.exp(-self.alpha * s))).sum() / w.sum()
        return float((np.log(p / (1 - p)) / self.alpha) ** 2)

    def _similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (2 * a * b + self.C) / (a**2 + b**2 + self.C)


def _planes(image: np.ndarray) -> list[np.ndarray]:
    """Y, and I and Q of a colour picture, at half size after means of 2 x 2 pixels, in 0 .. 255."""
    planes = np.tensordot(YIQ, image, 1) if len(image) == 3 else image
    return [means_2x2(255 * p)[::2, ::2] for p in planes]


def _haar(plane: np.ndarray, scale: int, axis: int) -> np.ndarray:
    """Coefficients of the Haar filter of 2^scale x 2^scale pixels that differs along an axis, at every pixel."""
    n = 2**scale
    sign = np.repeat([-1.0, 1.0], n // 2)
    kernel = np.tile(sign[:, None], (1, n)) / n
    return same(plane, kernel if axis == 0 else kernel.T)
