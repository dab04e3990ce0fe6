"""Figures and pictures of restored validation crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.train.show import curves, tile
from bench.train.validate import psnr, ssim


def scores(name: str, estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """``psnr_NAME`` in dB and ``ssim_NAME``, means over crops (n, C, H, W) in [0, 1], estimates clipped."""
    e, x = 2 * estimate - 1, 2 * truth - 1
    gray = (-1, 1, *truth.shape[-2:])
    return {f"psnr_{name}": psnr(e, x), f"ssim_{name}": ssim(e.reshape(gray), x.reshape(gray))}


def middle(measured: np.ndarray, channels: int) -> np.ndarray:
    """The frame to be restored, (n, C, H, W), of measurements (n, frames C, H, W)."""
    at = channels * (measured.shape[1] // channels // 2)
    return measured[:, at : at + channels]


def write(rows: list[dict[str, str]], pictures: list[np.ndarray], out: Path) -> None:
    """``history.png``, and ``restorations.png`` with one row for each array (n, C, H, W) in [0, 1]."""
    curves(rows, out / "history.png")
    tile([2 * p - 1 for p in pictures], out / "restorations.png")
