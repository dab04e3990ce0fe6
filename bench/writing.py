"""Writing pictures, the counterpart of ``bench.pictures``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pil

from bench.errors import DataError


def write_8_bit(path: Path, picture: np.ndarray) -> None:
    """Write (C, H, W), clipped to [0, 1] and rounded to 8 bits, in the format of the suffix. Raises DataError."""
    levels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    _save(path, Pil.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)))


def write_16_bit(path: Path, picture: np.ndarray) -> None:
    """Write a gray picture (1, H, W), clipped to [0, 1] and rounded to 16 bits. Raises DataError for colour."""
    if len(picture) != 1:
        raise DataError(f"{path}: 16-bit PNG is for gray pictures here; use --format npy (or png8) for colour")
    _save(path, Pil.fromarray(np.rint(picture[0].clip(0, 1) * 65535).astype(np.uint16)))


def write_npy(path: Path, picture: np.ndarray) -> None:
    """Write (C, H, W) as it is, as float32, not clipped."""
    np.save(path, picture.astype(np.float32), allow_pickle=False)


def _save(path: Path, image: Pil.Image) -> None:
    try:
        image.save(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written: {error}") from error
