"""The whitened residual of an estimate: what of the data it does not explain, in units of the noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.imaging.measure import blur_circular


@dataclass(frozen=True)
class Whitener:
    """(K x - y) / σ for the estimates of one measurement.

    Attributes:
        y: (C, H, W) in [0, 1] units.
        psf: (h, w), unit sum.
        margin: rows and columns at the edge where K x needs what lies outside the sensor: shown as zero.
        deviation: K x -> standard deviation of the noise.
        about: one sentence: which σ.
    """

    y: np.ndarray
    psf: np.ndarray
    margin: tuple[int, int]
    deviation: Callable[[np.ndarray], np.ndarray | float]
    about: str

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Residual (H, W) of an estimate (C, H, W); the channels' sum over sqrt(C), which keeps unit variance."""
        Kx = blur_circular(x, self.psf)
        r = ((Kx - self.y) / self.deviation(Kx)).sum(0) / np.sqrt(len(x))
        return _inside(r, self.margin)


def whitener(
    truth: np.ndarray | None, y: np.ndarray, psf: np.ndarray, boundary: str, level: np.ndarray | None
) -> Whitener | None:
    """The whitener of a measurement; None where nothing is left of it inside, or it has no noise.

    Args:
        truth: (C, H, W), used only when ``level`` is not stored; None where nobody knows it.
        y: the measurement (C, H, W).
        psf: the true PSF.
        boundary: "valid" or "circular".
        level: (gain, sigma) in [0, 1] units: variance gain max(K x, 0) + sigma^2; None: the root mean square of
            K truth - y stands for σ everywhere.
    """
    (h, w), (H, W) = psf.shape, y.shape[-2:]
    margin = (0, 0) if boundary == "circular" else (h // 2, w // 2)
    if h > H or w > W or 2 * margin[0] >= H or 2 * margin[1] >= W:
        return None
    if level is not None:
        gain, sigma = float(level[0]), float(level[1])
        if gain == 0 and sigma == 0:
            return None
        floor = 0.0 if sigma > 0 else gain  # without read noise the variance would vanish in the dark
        about = "σ² = gain · max(K x̂, 0) + σ₀², the true noise level"
        return Whitener(y, psf, margin, lambda Kx: np.sqrt(gain * Kx.clip(min=floor) + sigma**2), about)
    if truth is None:
        return None
    inside = _inside(blur_circular(truth, psf) - y, margin)
    shape = (H - 2 * margin[0]) * (W - 2 * margin[1]) * len(y)
    rms = float(np.sqrt((inside**2).sum() / shape))
    return Whitener(y, psf, margin, lambda _: rms, "σ: root mean square of K x − y for the truth x") if rms else None


def _inside(r: np.ndarray, margin: tuple[int, int]) -> np.ndarray:
    out = np.zeros_like(r)
    rows, columns = (slice(m, n - m) for m, n in zip(margin, r.shape[-2:], strict=True))
    out[..., rows, columns] = r[..., rows, columns]
    return out
