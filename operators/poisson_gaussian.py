"""Photon noise and read noise of a sensor, as in Boracchi and Foi, TIP 2012, in 8-bit units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench import Noise, NoiseLevel
from bench.imaging.psf import require


@dataclass(frozen=True)
class PoissonGaussian(Noise):
    """Photon (Poisson) and read (Gaussian) noise at exposure T, in 8-bit units.

    y = (Poisson(P T x) / P + N(0, (sigma / 255)^2)) / T with P = lam / 255 photons per unit of [0, 1].
    """

    lam: float  #: lambda, 255 times the photons that white brings at T = 1, > 0; .inf: no photon noise
    sigma: float = 0.0  #: standard deviation of the read noise in grey levels of 255, >= 0

    def __post_init__(self) -> None:
        # Beyond 1e18 the photon counts of a bright pixel leave numpy's Poisson generator.
        require(0 < self.lam <= 1e18 or self.lam == math.inf, "lam", self.lam, "a number in (0, 1e18], or .inf")
        require(0 <= self.sigma < math.inf, "sigma", self.sigma, "grey levels of 255, >= 0")

    @property
    def photons(self) -> float:
        """P, photons per unit of [0, 1] at T = 1."""
        return self.lam / 255

    def level(self, T: float) -> NoiseLevel:
        """Gain 1 / (P T) and sigma / (255 T)."""
        return NoiseLevel(1 / (self.photons * T), self.sigma / (255 * T))

    def sample(self, clean: np.ndarray, T: float, rng: np.random.Generator) -> np.ndarray:
        """Draw the photons, then the read noise. Not clipped; negative intensities (FFT dust) emit no photon."""
        P, y = self.photons, T * clean
        if not math.isinf(P):
            y = rng.poisson(P * np.maximum(y, 0)) / P
        if self.sigma:
            y = y + rng.normal(0, self.sigma / 255, y.shape)
        return y / T
