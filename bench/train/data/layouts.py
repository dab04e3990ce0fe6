"""Folders of training images: sharp ones, recorded pairs as published sets lay them out, sequences of frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from bench.errors import DataError
from bench.imaging import picture_files as pictures
from bench.imaging.pairs import gopro, rsblur, spread
from bench.train.data.images import MEMORY, Images, OnDisk, folder, load, mixed, shares, uint8

if TYPE_CHECKING:
    from bench.train.recipe.base import Source
    from bench.train.recipe.read import RestorationRecipe
    from bench.train.recipe.restoration import PairsConfig

Part = Literal["train", "val"]
Mode = Literal["gray", "rgb"]


@dataclass(frozen=True)
class Stacks:
    """Items of a folder as uint8, in memory or on the disk.

    Attributes:
        place: what errors call it.
        shapes: name and (H, W) of each item.
        shares: of the draws.
        stack: the i-th item as (H, W, K): the frames to degrade, or the truth and then the recorded frames.
    """

    place: str
    shapes: list[tuple[str, tuple[int, int]]]
    shares: np.ndarray
    stack: Callable[[int], np.ndarray]

    def of_side(self, side: int, why: str) -> Stacks:
        """The items whose sides reach ``side``. Raises DataError, saying ``why``, where there is none."""
        large = [i for i, (_, shape) in enumerate(self.shapes) if min(shape) >= side]
        if not large:
            fault = f"none of its {len(self.shapes)} images has sides of at least {side} pixels"
            raise DataError(f"{self.place}: {fault} ({why})")
        shares = self.shares[large] / self.shares[large].sum()
        return Stacks(self.place, [self.shapes[i] for i in large], shares, lambda i: self.stack(large[i]))


def stacks(recipe: RestorationRecipe, part: Part, root: Path) -> Stacks:
    """The items of a recipe's training or validation images, those that are large enough. Raises DataError."""
    side = recipe.size + 2 * recipe.margin
    why = f"size {recipe.size} and a margin of {recipe.margin} on each side"
    sources = getattr(recipe.data, part).sources
    parts = [(_of_source(recipe, source, part, root).of_side(side, why), source.share) for source in sources]
    return parts[0][0] if len(parts) == 1 else _joined_stacks(parts)


def _joined_stacks(parts: Sequence[tuple[Stacks, float]]) -> Stacks:
    """The items of several sources, each with its share of the draws."""
    ends = np.cumsum([len(p.shapes) for p, _ in parts])

    def stack(i: int) -> np.ndarray:
        k = int(np.searchsorted(ends, i, side="right"))
        items = parts[k][0]
        return items.stack(i - int(ends[k]) + len(items.shapes))

    shapes = [s for p, _ in parts for s in p.shapes]
    return Stacks(" + ".join(p.place for p, _ in parts), shapes, mixed(parts), stack)


def _of_source(recipe: RestorationRecipe, source: Source, part: Part, root: Path) -> Stacks:
    config = recipe.pairs if source.layout is None else recipe.pairs.model_copy(update={"layout": source.layout})
    mode: Mode = "gray" if recipe.network.image_channels == 1 else "rgb"
    if config.layout == "images":
        return _sharp(source, load(source, 1, root, mode=mode), config)
    if source.path is None:
        raise DataError(f"layout {config.layout} is one of folders: give a path")
    place = root / source.path
    if config.layout == "ct_sequence":
        frames = getattr(recipe.network, "frames", 1)
        return _sequence(place, part, mode, config, frames, recipe.degradation is not None)
    if config.layout == "rsblur":
        return _recorded(place, spread(rsblur(place), source.limit), part, mode, config)
    files = gopro(place, blurred=config.blurred)
    other = recipe.data.val if part == "train" else recipe.data.train
    if source.path in {s.path for s in other.sources}:
        files = _of_sequences(place, files, part, config.holdout)
    return _recorded(place, spread(files, source.limit), part, mode, config)


def _of_sequences(
    place: Path, files: list[tuple[str, Path, Path]], part: Part, holdout: float
) -> list[tuple[str, Path, Path]]:
    """The pairs of whole sequences: the last share of them, by name, is validation's. Frames of a video are alike."""
    of = {name: _sequence_of(name) for name, *_ in files}
    sequences = sorted(set(of.values()))
    if len(sequences) < 2:
        raise DataError(f"{place}: one sequence cannot both train and validate; name another folder as val")
    cut = len(sequences) - max(1, round(holdout * len(sequences)))
    chosen = set(sequences[:cut] if part == "train" else sequences[cut:])
    return [f for f in files if of[f[0]] in chosen]


def _sequence_of(name: str) -> str:
    """SEQUENCE/sharp/NUMBER.png, or target/SEQUENCE-NUMBER.png."""
    first, *_, file = name.split("/")
    return file.rpartition("-")[0] if first == "target" else first


def _sharp(source: Source, images: Images, config: PairsConfig) -> Stacks:
    """Sharp images, to be degraded."""
    shrink = 2 if config.halved else 1
    shapes = [(H // shrink, W // shrink) for H, W in images.shapes]
    # What lies on the disk is halved when it is read, what lies in memory once.
    pixels = images.pixels if isinstance(images.pixels, OnDisk) else _halved(images.pixels, config)

    def stack(i: int) -> np.ndarray:
        return _deep(_halved([pixels[i]], config) if isinstance(pixels, OnDisk) else [pixels[i]])

    named = list(zip(images.names, shapes, strict=True))
    return Stacks(str(source.path or source.dataset), named, shares(images.names, shapes, source.repeat), stack)


def _sequence(place: Path, part: Part, mode: Mode, config: PairsConfig, frames: int, synthetic: bool) -> Stacks:
    """Bursts of neighbouring frames, training's before validation's before those that nobody sees; none across."""
    images = [p for _, p in folder(place if synthetic else place / "sharp", mode)]
    measured = images if synthetic else [p for _, p in folder(place / "blurred", mode)]
    if len(measured) != len(images) or len({p.shape for p in [*images, *measured]}) != 1:
        raise DataError(f"{place}: the frames of a sequence must be of one size, as many blurred as sharp")
    images, measured = _halved(images, config), _halved(measured, config)
    stop, half = len(images) - round(config.tested * len(images)), frames // 2
    cut = stop - round(config.holdout * len(images))
    begin, end = (0, cut) if part == "train" else (cut, stop)
    middles = list(range(begin + half, end - half))

    def stack(i: int) -> np.ndarray:
        burst = measured[middles[i] - half : middles[i] + half + 1]
        return _deep(burst if synthetic else [images[middles[i]], *burst])

    H, W = images[0].shape[:2]
    return Stacks(str(place), [(str(m), (H, W)) for m in middles], np.ones(len(middles)), stack)


def _recorded(
    place: Path, files: list[tuple[str, Path, Path]], part: Part, mode: Mode, config: PairsConfig
) -> Stacks:
    """Pairs of files: in memory where all of them fit and are drawn again and again, otherwise read when drawn."""
    shrink = 2 if config.halved else 1
    sizes = [pictures.shape_of(sharp) for _, sharp, _ in files]
    shapes = [(name, (H // shrink, W // shrink)) for (name, *_), (H, W) in zip(files, sizes, strict=True)]
    pixels = np.array([H * W for _, (H, W) in shapes], dtype=np.float64)

    def read(i: int) -> np.ndarray:
        return _joined(list(files[i][1:]), mode, config)

    channels = 1 if mode == "gray" else 3
    if part == "val" or 2 * channels * pixels.sum() > MEMORY:
        return Stacks(str(place), shapes, pixels / pixels.sum(), read)
    return Stacks(str(place), shapes, pixels / pixels.sum(), [read(i) for i in range(len(files))].__getitem__)


def _joined(files: list[Path], mode: Mode, config: PairsConfig) -> np.ndarray:
    pair = _halved([uint8(pictures.read(f, mode)) for f in files], config)
    if pair[0].shape != pair[1].shape:
        raise DataError(f"{files[0]} and {files[1]} differ in size: {pair[0].shape} and {pair[1].shape}")
    return _deep(pair)


def _deep(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([p[..., None] if p.ndim == 2 else p for p in images], -1)


def _halved(images: Sequence[np.ndarray], config: PairsConfig) -> list[np.ndarray]:
    return [halve(p) for p in images] if config.halved else list(images)


def halve(pixels: np.ndarray) -> np.ndarray:
    """The mean of every 2 × 2 pixels of a uint8 image (H, W, ...); an odd last row or column is left out."""
    H, W = (n // 2 * 2 for n in pixels.shape[:2])
    corners = [pixels[i:H:2, j:W:2].astype(np.float32) for i in (0, 1) for j in (0, 1)]
    return np.rint(sum(corners) / 4).astype(np.uint8)
