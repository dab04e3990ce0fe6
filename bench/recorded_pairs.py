"""Pairs of a sharp and a blurred picture as cameras recorded them: what the datasets of such pairs share.

Nobody knows their PSFs, and blur of moving objects has none. A pair is therefore a problem for blind solvers; a
solver that asks is told an impulse and takes the picture for sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.contracts import Image, NoiseLevel
from bench.errors import DataError, SettingError
from bench.measure import Measurement
from bench.pictures import fingerprint, read, reduce, stat_of, window


@dataclass(frozen=True)
class View:
    """How pictures are cut to size, the sharp and the blurred one alike.

    Attributes:
        mode: gray or rgb.
        halved: whether the mean of every 2 x 2 pixels is taken first, as seed 001 does.
        size: side of the centred square that is cut out; None for the whole picture.
    """

    mode: Literal["gray", "rgb"] = "gray"
    halved: bool = False
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise SettingError(f"size must be at least 1, got {self.size}")

    def __call__(self, file: Path, margin: int = 0) -> np.ndarray:
        """The picture (C, H, W) in [0, 1], ``margin`` more on each side of a crop. Raises DataError if too small."""
        picture = read(file, self.mode)
        picture = reduce(picture, 2) if self.halved else picture
        H, W = picture.shape[-2:]
        if self.size is None:
            if min(H, W) <= 2 * margin:
                raise DataError(f"{file}: {H} x {W} pixels leave nothing within margin {margin}")
            return picture
        side = self.size + 2 * margin
        if min(H, W) < side:
            raise DataError(f"{file}: {H} x {W} pixels, {side} are needed (size {self.size}, margin {margin})")
        return window(picture, (H // 2, W // 2), (side, side))


def spread(names: list[str], limit: int | None) -> list[str]:
    """``limit`` of the names, evenly from the first to the last: neighbouring frames of a video are alike."""
    if limit is None or limit >= len(names):
        return names
    if limit < 1:
        raise SettingError(f"limit must be at least 1, got {limit}")
    return [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]


def scene(id: str, sharp: Path, view: View, margin: int) -> Image:
    """The sharp picture alone, for a synthetic blur."""
    return Image(id, view(sharp, margin), margin)


def recorded(sharp: Path, blurred: Path, view: View) -> Measurement:
    """The pair: y and truth (C, H, W), an impulse in place of the unknown PSF, no level of noise."""
    truth, y = view(sharp), view(blurred)
    if truth.shape != y.shape:
        raise DataError(f"{sharp} and {blurred} differ in size: {truth.shape[1:]} and {y.shape[1:]}")
    return Measurement(y=y, truth=truth, psf=np.ones((1, 1)), T=1.0, level=NoiseLevel(0.0, 0.0))


def state(module: str, files: tuple[Path, Path], view: View, margin: int) -> str:
    """A text that changes when the files or the view of them might."""
    return fingerprint(module, [stat_of(f) for f in files], view.mode, view.halved, view.size, margin)
