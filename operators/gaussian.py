"""Gaussian blur, isotropic or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from bench import Exposed, Operator
from bench.imaging.psf import direction, grid, require, require_exposure


@dataclass(frozen=True)
class Gaussian(Operator):
    """Gaussian blur, isotropic or elliptic, sampled at pixel centres or integrated over pixels."""

    sigma: float  #: standard deviation along ``angle``, in px, > 0
    sigma_y: float | None = None  #: standard deviation across ``angle``, in px; null: as ``sigma``
    angle: float = 0.0  #: degrees counter-clockwise as the picture is seen, of the axis of ``sigma``
    kind: Literal["sampled", "integrated"] = "sampled"  #: they differ for sigma below about 0.8 px
    truncate: float = 4.0  #: half the support, in standard deviations along rows and along columns
    T: float = 1.0  #: exposure in (0, 1]: less light, more noise

    def __post_init__(self) -> None:
        for name in ("sigma", "sigma_y", "truncate"):
            value = self.sigma if getattr(self, name) is None else getattr(self, name)
            require(0 < value < math.inf, name, value, "a number > 0 (the operator `identity` does not blur)")
        require(math.isfinite(self.angle), "angle", self.angle, "degrees, finite")
        require(self.kind in ("sampled", "integrated"), "kind", self.kind, "sampled, integrated")
        closed = self.kind == "sampled" or self.sigma_y in (None, self.sigma) or self.angle % 90 == 0
        require(closed, "angle", self.angle, "multiples of 90 when kind is integrated and sigma_y differs from sigma")
        require_exposure(self.T)

    def psf(self, rng: np.random.Generator) -> Exposed:  # noqa: ARG002  the kernel is not random
        """The kernel; its support reaches round(truncate * standard deviation) px, as scipy's gaussian_filter."""
        u, along, across = direction(self.angle), self.sigma, self.sigma_y or self.sigma
        std = [math.hypot(along * p, across * q) for p, q in ((u.imag, u.real), (u.real, u.imag))]
        a, b = (int(self.truncate * s + 0.5) for s in std)
        if self.kind == "integrated":
            psf = np.outer(_masses(a, std[0]), _masses(b, std[1]))
        else:
            z = grid((a, b)) * u.conjugate()
            psf = np.exp(-((z.real / along) ** 2 + (z.imag / across) ** 2) / 2)
        return Exposed(psf / psf.sum(), self.T)


def _masses(n: int, sigma: float) -> np.ndarray:
    """The mass of N(0, sigma^2) on each of the pixels -n ... n."""
    edges = np.abs(np.arange(n + 1) - 0.5)  # of one half only: the other is its mirror image
    upper = np.arange(n + 1) + 0.5
    half = ndtr(-edges / sigma) - ndtr(-upper / sigma)
    half[0] = 1 - 2 * ndtr(-0.5 / sigma)
    return np.concatenate([half[:0:-1], half])
