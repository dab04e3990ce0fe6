"""Small deblurring problems for tests: a real picture, an asymmetric PSF, Poisson and Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from skimage import data
from torch import Tensor

from bench.contracts import NoiseLevel
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement, blur_circular
from bench.methods.classical.differences import Edges, differences
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem


@cache
def camera(size: int = 64) -> np.ndarray:
    """The photographer (1, size, size): the 512 x 512 picture, averaged 4 x 4 and cropped around the camera."""
    shrunk = (data.camera() / 255).reshape(128, 4, 128, 4).mean((1, 3))
    a = min(16, 128 - size)
    return shrunk[None, a : a + size, a : a + size]


@cache
def shake(side: int = 9) -> np.ndarray:
    """A bent, unevenly lit path on (side, side): no symmetry that could hide a flip."""
    t = np.linspace(-1, 1, 400)
    r = side // 2 - 0.5
    v, u = side // 2 + r * (0.8 * t**2 - 0.5), side // 2 + r * t
    k, i, j = np.zeros((side, side)), np.floor(v).astype(int), np.floor(u).astype(int)
    for a, b in np.ndindex(2, 2):
        np.add.at(k, (i + a, j + b), np.abs(1 - a - v + i) * np.abs(1 - b - u + j) * (1.5 + t))
    return k / k.sum()


def problem(
    scenes: Sequence[np.ndarray],
    psf: np.ndarray | None = None,
    *,
    sigma: float = 2 / 255,
    gain: float = 0.0,
    boundary: Boundary = "circular",
    dtype: torch.dtype = torch.float64,
    claimed: NoiseLevel | None = None,
) -> tuple[Problem, Tensor]:
    """Problem and truth (B, C, H, W) of scenes (C, H', W'); each image has its own noise. ``claimed`` misleads."""
    psf = shake() if psf is None else psf
    level = NoiseLevel(gain, sigma)
    measured = []
    for i, scene in enumerate(scenes):
        rng = np.random.default_rng(i)
        (a, b), (H, W) = (n // 2 for n in psf.shape), scene.shape[-2:]
        blurred, truth = blur_circular(scene, psf), scene
        if boundary == "valid":
            blurred, truth = (x[:, a : H - a, b : W - b] for x in (blurred, scene))
        y = gain * rng.poisson(blurred.clip(0) / gain) if gain else blurred
        y = y + sigma * rng.standard_normal(y.shape)
        measured.append(Measurement(y=y, truth=truth, psf=psf, T=1.0, level=claimed or level))
    rngs = [np.random.default_rng(i) for i in range(len(measured))]
    truth = torch.as_tensor(np.stack([m.truth for m in measured]), dtype=dtype)
    return assemble(measured, rngs, boundary=boundary, dtype=dtype), truth


def psnr(x: Tensor, truth: Tensor, border: int = 0) -> float:
    """PSNR over a batch, of estimates clipped to [0, 1], without ``border`` pixels on each side."""
    error = (x.clamp(0, 1) - truth)[..., border : x.shape[-2] - border, border : x.shape[-1] - border]
    return float(-10 * error.square().mean().log10())


def total_variation(x: Tensor, edges: Edges = "periodic") -> Tensor:
    """Isotropic TV of images (B, C, H, W), summed over channels: (B,). Each channel has its own gradient length."""
    v, h = differences(x, edges)
    return torch.hypot(v, h).sum((1, 2, 3))
