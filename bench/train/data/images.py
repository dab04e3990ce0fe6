"""Training images, in memory or, where there are too many, on the disk; random crops keyed by the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from bench.errors import DataError
from bench.imaging import picture_files as pictures
from bench.seeds import generator
from bench.train.data.alter import alter, recolour

if TYPE_CHECKING:
    from bench.train.recipe.base import Augment, Source


#: Training images of more bytes than this stay on the disk and are read when drawn.
MEMORY = 8e9
#: Bytes of pixels that a byte of a file may hold: folders that are small even so are read at once.
COMPRESSION = 50


@dataclass(frozen=True)
class Images:
    """Images and the share of draws that each gets.

    Attributes:
        names: of the files, without their suffix.
        shapes: (H, W).
        pixels: uint8 arrays (H, W) or (H, W, 3), in memory or read when asked for.
        shares: (n,), sum 1.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    pixels: Sequence[np.ndarray]
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


class OnDisk(Sequence[np.ndarray]):
    """Pictures that are read when they are asked for."""

    def __init__(self, files: Sequence[Path], read: Callable[[Path], np.ndarray]) -> None:
        self.files, self.read = files, read

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: Any) -> Any:
        return OnDisk(self.files[i], self.read) if isinstance(i, slice) else self.read(self.files[i])


def load(
    source: Source, size: int, root: Path, *, resize: bool = False, mode: Literal["gray", "rgb"] = "gray"
) -> Images:
    """Every image of a source whose sides reach ``size``; with ``resize``, all of them, bicubic to size × size.

    Those of a folder stay on the disk where all of them would take more than ``MEMORY``. Raises DataError when there
    is none, or one is corrupt; of a mix, when a source of it has none.
    """
    if source.mix:
        return joined([(load(s, size, root, resize=resize, mode=mode), s.share) for s in source.mix])
    if source.path is not None:
        names, shapes, pixels = _folder(root / source.path, source.limit, mode)
    else:
        plugin = _plugin(source, mode)
        names, pixels = [name for name, _ in plugin], [p for _, p in plugin]
        shapes = [_shape(p) for p in pixels]
    if resize:
        pixels, shapes = _all_resized(pixels, size), [(size, size)] * len(names)
    large = [i for i, shape in enumerate(shapes) if min(shape) >= size]
    if not large:
        what = source.path or source.dataset
        raise DataError(f"{what}: none of its {len(names)} images has sides of at least {size} pixels")
    if isinstance(pixels, OnDisk):
        pixels = OnDisk([pixels.files[i] for i in large], pixels.read)
    else:
        pixels = [pixels[i] for i in large]
    names, shapes = [names[i] for i in large], [shapes[i] for i in large]
    return Images(tuple(names), tuple(shapes), pixels, shares(names, shapes, source.repeat))


def joined(parts: Sequence[tuple[Images, float]]) -> Images:
    """Images of several sources, each with its share of the draws."""
    names = tuple(n for images, _ in parts for n in images.names)
    shapes = tuple(s for images, _ in parts for s in images.shapes)
    return Images(names, shapes, Joined([images.pixels for images, _ in parts]), mixed(parts))


def mixed(parts: Sequence[tuple[Any, float]]) -> np.ndarray:
    """The shares of all items of several sources, sum 1, from ``shares`` of each and its own share."""
    weights = np.concatenate([share * p.shares / p.shares.sum() for p, share in parts])
    return weights / weights.sum()


class Joined(Sequence[np.ndarray]):
    """Sequences one after the other, each read as it is."""

    def __init__(self, parts: Sequence[Sequence[np.ndarray]]) -> None:
        self.parts, self.ends = parts, np.cumsum([len(p) for p in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        if not 0 <= i < len(self):
            raise IndexError(i)
        part = int(np.searchsorted(self.ends, i, side="right"))
        return self.parts[part][i - int(self.ends[part]) + len(self.parts[part])]


def _folder(
    path: Path, limit: int | None, mode: Literal["gray", "rgb"]
) -> tuple[list[str], list[tuple[int, int]], Sequence[np.ndarray]]:
    """Names, shapes and pixels of the pictures below a folder."""
    files = picture_files(path)
    if limit is not None and limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, limit).round().astype(int)]
    read = partial(_read, mode=mode)
    if COMPRESSION * sum(f.stat().st_size for f in files) > MEMORY:
        shapes = [pictures.shape_of(f) for f in files]
        if sum(H * W for H, W in shapes) * (1 if mode == "gray" else 3) > MEMORY:
            return [f.stem for f in files], shapes, OnDisk(files, read)
    pixels = [read(f) for f in files]
    return [f.stem for f in files], [_shape(p) for p in pixels], pixels


def _read(file: Path, mode: Literal["gray", "rgb"]) -> np.ndarray:
    return uint8(pictures.read(file, mode))


def _shape(pixels: np.ndarray) -> tuple[int, int]:
    return pixels.shape[0], pixels.shape[1]


def _all_resized(pixels: Sequence[np.ndarray], size: int) -> Sequence[np.ndarray]:
    if isinstance(pixels, OnDisk):
        return OnDisk(pixels.files, lambda file, read=pixels.read: _resized(read(file), size))
    return [_resized(p, size) for p in pixels]


def shares(names: Sequence[str], shapes: Sequence[tuple[int, int]], repeat: dict[str, float]) -> np.ndarray:
    """The share of draws of each image: by its pixels, times its ``repeat``."""
    areas = [H * W * _repeat(name, repeat) for name, (H, W) in zip(names, shapes, strict=True)]
    weights = np.array(areas, dtype=np.float64)
    return weights / weights.sum()


def _repeat(name: str, repeat: dict[str, float]) -> float:
    return next((times for pattern, times in repeat.items() if fnmatch(name, pattern)), 1.0)


def picture_files(path: Path) -> list[Path]:
    """Every picture below a folder, by name. Raises DataError when there is none."""
    if not path.is_dir():
        raise DataError(f"there is no folder {path}: name it in the recipe or give the data root")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in pictures.EXTENSIONS)
    if not files:
        raise DataError(f"{path} holds no images ({', '.join(pictures.EXTENSIONS)})")
    return files


def folder(path: Path, mode: Literal["gray", "rgb"] = "gray") -> list[tuple[str, np.ndarray]]:
    """Every picture below a folder, by name, as uint8 (H, W) or (H, W, 3). Raises DataError when there is none."""
    return [(f.stem, _read(f, mode)) for f in picture_files(path)]


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
    crops = np.stack([coloured(crop(images.pixels[i], augment, size, rng), augment, None, rng) for i in chosen])
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


def coloured(piece: np.ndarray, augment: Augment, channels: int | None, rng: np.random.Generator) -> np.ndarray:
    """A piece in the colours that ``augment`` asks for: (H, W), or (H, W, K), frames of so many channels or one."""
    if not augment.colour:
        return piece
    frames = piece[..., None] if piece.ndim == 2 else piece
    return recolour(frames, augment.colour, channels or frames.shape[-1], rng).reshape(piece.shape)


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
