"""Training images: all of them gray in memory, random crops from generators keyed by the step."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from bench import pictures
from bench.errors import DataError
from bench.seeds import generator
from bench.train.alter import alter

if TYPE_CHECKING:
    from bench.train.recipe import Augment, Source


@dataclass(frozen=True)
class Images:
    """Gray images in memory: names and uint8 arrays (H, W), with the share of draws that each gets."""

    names: tuple[str, ...]
    pixels: tuple[np.ndarray, ...]
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def load(source: Source, size: int, root: Path, *, resize: bool = False) -> Images:
    """Every image of a source whose sides reach ``size``; with ``resize``, all of them, bicubic to size × size.

    Raises DataError when there is none, or one is corrupt.
    """
    found = _folder(root / source.path) if source.path is not None else _plugin(source)
    if resize:
        found = [(name, _resized(p, size)) for name, p in found]
    kept = [(name, p) for name, p in found if min(p.shape) >= size]
    if not kept:
        what = source.path or source.dataset
        raise DataError(f"{what}: none of its {len(found)} images has sides of at least {size} pixels")
    names, pixels = zip(*kept, strict=True)
    weights = np.array([p.size * _repeat(name, source.repeat) for name, p in kept], dtype=np.float64)
    return Images(names, pixels, weights / weights.sum())


def _repeat(name: str, repeat: dict[str, float]) -> float:
    return next((times for pattern, times in repeat.items() if fnmatch(name, pattern)), 1.0)


def _folder(path: Path) -> list[tuple[str, np.ndarray]]:
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: name it in the recipe or give the data root")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in pictures.EXTENSIONS)
    if not files:
        raise DataError(f"{path} holds no images ({', '.join(pictures.EXTENSIONS)})")
    return [(f.stem, _uint8(pictures.read(f, "gray"))) for f in files]


def _uint8(picture: np.ndarray) -> np.ndarray:
    return np.rint(255 * picture[0].clip(0, 1)).astype(np.uint8)


def _plugin(source: Source) -> list[tuple[str, np.ndarray]]:
    from bench import plugins, settings

    plugin = plugins.find("dataset", source.dataset or "")
    dataset = settings.build(plugin, plugins.load(plugin), source.settings)
    return [(name, _uint8(pictures.as_mode(dataset.load(name).scene, "gray"))) for name in dataset.ids()]


def batch(images: Images, augment: Augment, size: int, n: int, key: tuple[object, ...]) -> np.ndarray:
    """A batch of n random crops (n, 1, size, size), float32 in [-1, 1]: a function of ``key`` alone."""
    rng = generator("crops", *key)
    chosen = rng.choice(len(images), size=n, p=images.shares)
    crops = np.stack([_crop(images.pixels[i], augment, size, rng) for i in chosen])
    return to_model(crops)


def _crop(pixels: np.ndarray, augment: Augment, size: int, rng: np.random.Generator) -> np.ndarray:
    shrink, factor, top, left, *flips = rng.random(6)
    side = size
    if shrink < augment.scale_share:
        side = min(round(size / (augment.scale + (1 - augment.scale) * factor)), *pixels.shape)
    i = int(top * (pixels.shape[0] - side + 1))
    j = int(left * (pixels.shape[1] - side + 1))
    crop = pixels[i : i + side, j : j + side]
    if side > size:
        crop = _resized(crop, size)
    if "horizontal" in augment.flips and flips[0] < 0.5:
        crop = crop[:, ::-1]
    if "vertical" in augment.flips and flips[1] < 0.5:
        crop = crop[::-1]
    return alter(crop, augment.one_of[rng.integers(len(augment.one_of))], rng) if augment.one_of else crop


def _resized(pixels: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))


def centres(images: Images, size: int) -> np.ndarray:
    """The centre crop of every image, (n, 1, size, size), float32 in [-1, 1]."""
    crops = []
    for p in images.pixels:
        i, j = (p.shape[0] - size) // 2, (p.shape[1] - size) // 2
        crops.append(p[i : i + size, j : j + size])
    return to_model(np.stack(crops))


def to_model(gray: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W) to float32 (n, 1, H, W) in [-1, 1]."""
    return (gray[:, None].astype(np.float32) / np.float32(127.5)) - np.float32(1)
