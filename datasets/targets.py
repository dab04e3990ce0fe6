"""Drawn targets of lines and bars with high contrast, as radiographs of test objects show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import DataError, Dataset, Image, SettingError
from bench.errors import did_you_mean
from bench.seeds import generator

#: what an image is crowded with, for each 1000 pixels of the scene
BARS, LINES = 0.25, 0.15
#: grey levels that a group of bars may have, over the ground
LEVELS = (0.35, 0.6, 0.85)


@dataclass(frozen=True)
class Targets(Dataset):
    """Groups of bars and neighbouring lines, upright or level, bright on dark: piecewise constant with high contrast.

    A group has three or four bars of 3 to 8 pixels, as far apart as they are wide; lines come in pairs, 2 pixels wide
    with 3 to 5 between, so that a blur of as much joins them. Every edge lies between pixels. Each name, seed and
    split has random numbers of its own.
    """

    split: Literal["train", "val", "test"] = "test"
    #: side of the field of view in pixels
    size: int = 128
    #: pixels of drawn scene around it
    margin: int = 8
    #: how many
    limit: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in (allowed := ("train", "val", "test")):
            raise SettingError(f"targets: no split {self.split!r}. {did_you_mean(self.split, allowed)}")
        if self.size < 32 or self.margin < 0 or self.limit < 1:
            raise SettingError("targets: size must be at least 32, margin at least 0, limit at least 1")

    def ids(self) -> list[str]:
        """target_000, target_001 ..."""
        return [f"target_{i:03d}" for i in range(self.limit)]

    def load(self, id: str) -> Image:
        """The target of that name: scene (1, size + 2 margin, size + 2 margin)."""
        if id not in self.ids():
            raise DataError(f"targets: no picture {id!r}. {did_you_mean(id, self.ids())}")
        rng = generator("targets", self.seed, self.split, id, self.size, self.margin)
        side = self.size + 2 * self.margin
        scene = np.full((side, side), 0.05)
        for _ in range(round(BARS * side**2 / 1000)):
            self._bars(scene, rng)
        for _ in range(round(LINES * side**2 / 1000)):
            self._lines(scene, rng)
        return Image(id, scene[None], self.margin)

    def _bars(self, scene: np.ndarray, rng: np.random.Generator) -> None:
        width, count, level = int(rng.integers(3, 9)), int(rng.integers(3, 5)), float(rng.choice(LEVELS))
        length = int(rng.integers(3, 6)) * width
        part = _placed(scene, (2 * count - 1) * width, length, rng)
        for i in range(count):
            part[2 * i * width : (2 * i + 1) * width] = level

    def _lines(self, scene: np.ndarray, rng: np.random.Generator) -> None:
        gap, length = int(rng.integers(3, 6)), int(rng.integers(16, 32))
        part = _placed(scene, gap + 4, length, rng)
        part[:2] = part[-2:] = 0.95


def _placed(scene: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A random window of height × width, or on its side, as a view of the scene."""
    view = scene if rng.random() < 0.5 else scene.T
    H, W = view.shape
    height, width = min(height, H), min(width, W)
    r, c = int(rng.integers(H - height + 1)), int(rng.integers(W - width + 1))
    return view[r : r + height, c : c + width]
