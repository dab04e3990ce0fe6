"""Training images: all of them in memory, random crops from generators keyed by the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from bench.errors import DataError
from bench.imaging import picture_files as pictures
from bench.seeds import generator
from bench.train.data.alter import alter

if TYPE_CHECKING:
    from bench.train.recipe.base import Augment, Source


@dataclass(frozen=True)
class Images:
    """Images in memory: names and uint8 arrays (H, W) or (H, W, 3), with the share of draws that each gets."""

    names: tuple[str, ...]
    pixels: tuple[np.ndarray, ...]
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def load(
    source: Source, size: int, root: Path, *, resize: bool = False, mode: Literal["gray", "rgb"] = "gray"
) -> Images:
    """Every image of a source whose sides reach ``size``; with ``resize``, all of them, bicubic to size × size.

    Raises DataError when there is none, or one is corrupt.
    """
    images = folder(root / source.path, mode) if source.path is not None else _plugin(source, mode)
    if resize:
        images = [(name, _resized(p, size)) for name, p in images]
    large = [(name, p) for name, p in images if min(p.shape[:2]) >= size]
    if not large:
        what = source.path or source.dataset
        raise DataError(f"{what}: none of its {len(images)} images has sides of at least {size} pixels")
    names, pixels = zip(*large, strict=True)
    return Images(names, pixels, shares(large, source.repeat))


def shares(images: Sequence[tuple[str, np.ndarray]], repeat: dict[str, float]) -> np.ndarray:
    """The share of draws of each image: by its pixels, times its ``repeat``."""
    weights = np.array([p.size * _repeat(name, repeat) for name, p in images], dtype=np.float64)
    return weights / weights.sum()


def _repeat(name: str, repeat: dict[str, float]) -> float:
    return next((times for pattern, times in repeat.items() if fnmatch(name, pattern)), 1.0)


def folder(path: Path, mode: Literal["gray", "rgb"] = "gray") -> list[tuple[str, np.ndarray]]:
    """Every picture below a folder, by name, as uint8 (H, W) or (H, W, 3). Raises DataError when there is none."""
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: name it in the recipe or give the data root")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in pictures.EXTENSIONS)
    if not files:
        raise DataError(f"{path} holds no images ({', '.join(pictures.EXTENSIONS)})")
    return [(f.stem, uint8(pictures.read(f, mode))) for f in files]


def uint8(picture: np.ndarray) -> np.ndarray:
    """A picture (C, H, W) in [0, 1] as uint8 (H, W) or (H, W, 3)."""
    rounded = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    return rounded[0] if len(rounded) == 1 else np.ascontiguousarray(np.moveaxis(rounded, 0, -1))


def _plugin(source: Source, mode: Literal["gray", "rgb"]) -> list[tuple[str, np.ndarray]]:
    from bench.plugins import settings
    from bench.plugins.lookup import find_plugin, load_plugin

    plugin = find_plugin("dataset", source.dataset or "")
    dataset = settings.build(plugin, load_plugin(plugin), source.settings)
    return [(name, uint8(pictures.as_mode(dataset.load(name).scene, mode))) for name in dataset.ids()]


def batch(images: Images, augment: Augment, size: int, n: int, key: tuple[object, ...]) -> np.ndarray:
    """A batch of n random crops (n, C, size, size), float32 in [-1, 1]: a function of ``key`` alone."""
    rng = generator("crops", *key)
    chosen = rng.choice(len(images), size=n, p=images.shares)
    crops = np.stack([crop(images.pixels[i], augment, size, rng) for i in chosen])
    return to_model(crops)


def crop(pixels: np.ndarray, augment: Augment, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random piece of an image (H, W) or (H, W, K), as ``augment`` says: (size, size) or (size, size, K)."""
    shrink, factor, top, left, *flips = rng.random(6)
    side = size
    if shrink < augment.scale_share:
        side = min(round(size / (augment.scale + (1 - augment.scale) * factor)), *pixels.shape[:2])
    i = int(top * (pixels.shape[0] - side + 1))
    j = int(left * (pixels.shape[1] - side + 1))
    piece = pixels[i : i + side, j : j + side]
    if side > size:
        piece = _resized(piece, size)
    if "horizontal" in augment.flips and flips[0] < 0.5:
        piece = piece[:, ::-1]
    if "vertical" in augment.flips and flips[1] < 0.5:
        piece = piece[::-1]
    return alter(piece, augment.one_of[rng.integers(len(augment.one_of))], rng) if augment.one_of else piece


def _resized(pixels: np.ndarray, size: int) -> np.ndarray:
    if pixels.ndim == 3:
        return np.stack([_resized(np.ascontiguousarray(pixels[..., k]), size) for k in range(pixels.shape[2])], -1)
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))


def centres(images: Images, size: int) -> np.ndarray:
    """The centre crop of every image, (n, C, size, size), float32 in [-1, 1]."""
    return to_model(np.stack([centre(p, size) for p in images.pixels]))


def centre(pixels: np.ndarray, size: int) -> np.ndarray:
    """The centre crop of an image (H, W) or (H, W, K)."""
    i, j = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    return pixels[i : i + size, j : j + size]


def to_model(pixels: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W) or (n, H, W, 3) to float32 (n, C, H, W) in [-1, 1]."""
    planes = pixels[:, None] if pixels.ndim == 3 else np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
    return (planes.astype(np.float32) / np.float32(127.5)) - np.float32(1)
