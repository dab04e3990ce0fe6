"""Drawing shapes with antialiased edges on a square canvas of any number of pixels.

The canvas is the square [-1, 1] x [-1, 1], y downwards. Shapes are implicit functions, negative inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

Window = tuple[slice, slice]
ALL: Window = (slice(None), slice(None))


def coverage(f: np.ndarray) -> np.ndarray:
    """The share of each pixel in which the implicit function f (rows, columns) is negative."""
    gy, gx = np.gradient(f)
    return np.clip(0.5 - f / (np.sqrt(gx * gx + gy * gy) + 1e-9), 0, 1)


def blend(*fs: np.ndarray, k: float = 0.03) -> np.ndarray:
    """Union of implicit shapes with edges rounded over k: a smooth minimum."""
    least = np.minimum.reduce(fs)
    return least - k * np.log(sum(np.exp((least - f) / k) for f in fs))


@dataclass
class Blob:
    """An ellipse, perhaps with a wavy outline: the usual organ. Lengths in units of half the canvas."""

    x: float
    y: float
    a: float
    b: float
    angle: float = 0.0
    wave: tuple[tuple[int, float, float], ...] = ()

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Negative inside; about the distance from the outline."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        u = ((x - self.x) * c + (y - self.y) * s) / self.a
        v = ((y - self.y) * c - (x - self.x) * s) / self.b
        radius = np.sqrt(u * u + v * v)
        if self.wave:
            theta = np.arctan2(v, u)
            radius = radius / (1 + sum(h * np.cos(k * theta + phase) for k, h, phase in self.wave))
        return (radius - 1) * min(self.a, self.b)

    def grown(self, by: float) -> Blob:
        """The same shape, larger by that length on all sides."""
        return Blob(self.x, self.y, self.a + by, self.b + by, self.angle, self.wave)


class Canvas:
    """n x n pixels in Hounsfield units, of air at first; one generator for shapes and one for textures."""

    def __init__(self, n: int, anatomy: np.random.Generator, texture: np.random.Generator):
        self.n, self.rng, self.texture = n, anatomy, texture
        c = (2 * np.arange(n) + 1) / n - 1
        self.x, self.y = np.broadcast_to(c, (n, n)), np.broadcast_to(c[:, None], (n, n))
        self.hu = np.full((n, n), -1000.0)

    def paint(self, cover: np.ndarray, hu: float | np.ndarray, win: Window = ALL) -> None:
        """Replace the share ``cover`` of each pixel (of a window) by tissue."""
        self.hu[win] += cover * (hu - self.hu[win])

    def blob(self, b: Blob, hu: float, within: np.ndarray | None = None) -> None:
        """Paint a blob, within a mask if one is given."""
        win = self.window(b.x, b.y, max(b.a, b.b) * 1.3)
        cover = coverage(b(self.x[win], self.y[win]))
        self.paint(cover if within is None else cover * within[win], hu, win)

    def line(self, p: complex, q: complex, r: float, hu: float, within: np.ndarray | None = None) -> None:
        """Paint a vessel of radius r from p to q; thinner than a pixel, it covers pixels in part."""
        middle = (p + q) / 2
        win = self.window(middle.real, middle.imag, abs(q - p) / 2 + r)
        z = self.x[win] + 1j * self.y[win] - p
        along = np.clip((z * np.conj(q - p)).real / max(abs(q - p) ** 2, 1e-12), 0, 1)
        d = np.abs(z - along * (q - p)) * self.n / 2
        r = r * self.n / 2
        cover = np.clip(0.5 + r - d, 0, 1) - np.clip(0.5 - r - d, 0, 1)
        self.paint(cover if within is None else cover * within[win], hu, win)

    def window(self, x: float, y: float, r: float) -> Window:
        """The pixels within r of (x, y), and some more: never fewer than a gradient needs."""

        def side(v: float) -> slice:
            first, last = (int((w + 1) * self.n / 2) for w in (v - r, v + r))
            first = min(max(first - 2, 0), self.n - 2)
            return slice(first, max(min(last + 3, self.n), first + 2))

        return side(y), side(x)

    def noise(self, scale: float) -> np.ndarray:
        """Gaussian texture of unit variance with features of about ``scale``."""
        field = gaussian_filter(self.texture.standard_normal((self.n, self.n)), scale * self.n / 2, mode="wrap")
        return field / max(field.std(), 1e-9)

    def wave(self, amount: float, orders: tuple[int, ...] = (2, 3, 4, 5)) -> tuple[tuple[int, float, float], ...]:
        """A random wavy outline: orders, heights, phases."""
        u = self.rng.uniform
        return tuple((k, amount * u(0.3, 1) * 2 / k, u(0, 2 * math.pi)) for k in orders)
