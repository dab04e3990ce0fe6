"""Uniform motion along a line: the shake without shaking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import Exposed, Operator
from bench.imaging.psf import direction, grid, reach, require, require_exposure, splat


@dataclass(frozen=True)
class Linear(Operator):
    """Uniform linear motion: a segment of given length and angle, splatted exactly or as MATLAB's fspecial."""

    length: float  #: of the path, in px, > 0 (>= 1 for fspecial)
    angle: float = 0.0  #: degrees counter-clockwise as the picture is seen (rows count downwards); 0 is to the right
    kind: Literal["bilinear", "fspecial"] = "bilinear"  #: fspecial: 1 - distance to a segment of length - 1
    T: float = 1.0  #: exposure in (0, 1]: less light, more noise; the length is that of the exposed path

    def __post_init__(self) -> None:
        require(self.kind in ("bilinear", "fspecial"), "kind", self.kind, "bilinear, fspecial")
        if self.kind == "fspecial":
            require(1 <= self.length < math.inf, "length", self.length, "px >= 1 with kind: fspecial")
        require(0 < self.length < math.inf, "length", self.length, "px > 0 (the operator `identity` does not blur)")
        require(math.isfinite(self.angle), "angle", self.angle, "degrees, finite")
        require_exposure(self.T)

    def psf(self, rng: np.random.Generator) -> Exposed:  # noqa: ARG002  the kernel is not random
        """The kernel, on the smallest support with odd sides that holds it."""
        line = _bilinear if self.kind == "bilinear" else _fspecial
        psf = line(self.length, direction(self.angle))
        return Exposed(psf / psf.sum(), self.T)


def _bilinear(length: float, u: complex) -> np.ndarray:
    """The integral of the bilinear hat along the segment: the limit of ever denser uniform samples.

    Between crossings of pixel rows and columns the hat is quadratic along the segment, and two Gauss-Legendre
    nodes integrate cubics exactly.
    """
    v = length * u
    cuts = np.unique(np.concatenate([[-0.5, 0.5], *(_crossings(abs(c)) for c in (v.real, v.imag))]))
    middle, width = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    nodes = middle[:, None] + width[:, None] * np.array([-0.5, 0.5]) / math.sqrt(3)
    half = reach(np.array([v / 2]))
    return splat(v * nodes.ravel(), np.repeat(width / 2, 2), half)


def _crossings(extent: float) -> np.ndarray:
    """Where t -> extent * t is an integer, t in [-1/2, 1/2]."""
    n = math.floor(extent / 2)
    return np.arange(-n, n + 1) / extent if extent else np.empty(0)


def _fspecial(length: float, u: complex) -> np.ndarray:
    """max(0, 1 - distance of the pixel's centre to a segment of length - 1 through the origin)."""
    end = (length - 1) / 2
    # A pixel one px beyond the end has weight zero, up to rounding: it is not part of the support.
    a, b = (math.floor(end * abs(c) + 1 - 1e-12) for c in (u.imag, u.real))
    along = grid((a, b)) * u.conjugate()
    beyond = np.maximum(np.abs(along.real) - end, 0)
    return np.maximum(1 - np.hypot(beyond, along.imag), 0)
