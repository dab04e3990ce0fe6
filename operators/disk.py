"""Defocus: the image of a point through a round aperture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench import Exposed, Operator
from bench.imaging.psf import disk_areas, require, require_exposure


@dataclass(frozen=True)
class Disk(Operator):
    """Defocus: a uniform disk, each pixel weighted by the exact area it shares with it."""

    radius: float  #: in px, > 0; up to 0.5 it lies within one pixel and does not blur
    T: float = 1.0  #: exposure in (0, 1]: less light, more noise

    def __post_init__(self) -> None:
        require(0 < self.radius < math.inf, "radius", self.radius, "px > 0 (the operator `identity` does not blur)")
        require_exposure(self.T)

    def psf(self, rng: np.random.Generator) -> Exposed:  # noqa: ARG002  the kernel is not random
        """The kernel, (n, n) with n = 2 ceil(radius - 0.5) + 1."""
        areas = disk_areas(self.radius)
        return Exposed(areas / areas.sum(), self.T)
