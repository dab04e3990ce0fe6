"""Gaussian noise."""

from dataclasses import dataclass

import numpy as np

from bench import Noise, NoiseLevel


@dataclass(frozen=True)
class Gauss(Noise):
    """Gaussian noise of sigma grey levels."""

    sigma: float = 1.0

    def level(self, T: float) -> NoiseLevel:
        return NoiseLevel(0.0, self.sigma / 255 / T)

    def sample(self, clean: np.ndarray, T: float, rng: np.random.Generator) -> np.ndarray:
        return clean + self.level(T).sigma * rng.standard_normal(clean.shape)
