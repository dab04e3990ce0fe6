"""Pairs of a sharp and a blurred picture as cameras recorded them: what the datasets of such pairs share.

Nobody knows their PSFs, and blur of moving objects has none. A pair is therefore a problem for blind solvers; a
solver that asks gets an impulse and takes the picture for sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import numpy as np

from bench.contracts import Dataset, Image, NoiseLevel
from bench.errors import DataError, SettingError, did_you_mean
from bench.imaging.measure import Measurement
from bench.imaging.picture_files import fingerprint, read, reduce, stat_of, window

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class View:
    """How pictures are cut to size, the sharp and the blurred one alike.

    Attributes:
        mode: gray or rgb.
        halved: whether the mean of every 2 x 2 pixels is taken first, as study 001 does.
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


def spread(names: list[_Item], limit: int | None) -> list[_Item]:
    """``limit`` of the items, in their order, evenly over all: neighbouring frames of a video are alike."""
    if limit is None or limit >= len(names):
        return names
    if limit < 1:
        raise SettingError(f"limit must be at least 1, got {limit}")
    return [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]


def gopro(place: Path, blurred: str = "blur") -> list[tuple[str, Path, Path]]:
    """Name, sharp and blurred file of every pair of GOPRO_Large/train or /test: SEQUENCE/{sharp,blur}/NUMBER.png.

    Also of its repackaging for restoration networks, target/SEQUENCE-NUMBER.png and input/SEQUENCE-NUMBER.png.
    """
    sharp = sorted(place.glob("*/sharp/*.png"))
    if not sharp and (flat := sorted(place.glob("target/*.png"))):
        if blurred != "blur":
            raise SettingError(f"{place} has folders input and target, and of the blurred frames only blur")
        return _paired(place, [(f, place / "input" / f.name) for f in flat], "target/*.png and input/*.png")
    files = [(f, f.parents[1] / blurred / f.name) for f in sharp]
    return _paired(place, files, f"*/sharp/*.png and */{blurred}/*.png")


def rsblur(place: Path) -> list[tuple[str, Path, Path]]:
    """The pairs of RSBlur: SCENE/SHOT/gt/gt_sharp.png and SCENE/SHOT/real_blur/real_blur.png, or of its text lists.

    A text file in the folder's place (RSBlur_real_train.txt) names a sharp and a blurred file on each line. The
    published lists begin every path with ``RSBlur/`` and are no part of the set's archive: a list may lie beside the
    folder RSBlur, in it, or in a folder beside it.
    """
    if place.is_file():
        lines = [line.split() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]
        if short := next((i for i, line in enumerate(lines, 1) if len(line) < 2), None):
            raise DataError(f"{place}: entry {short} does not name a sharp and a blurred file")
        root = _root_of_list(place, lines)
        return _paired(root, [(root / sharp, root / blurred) for sharp, blurred, *_ in lines], "two files each")
    sharp = sorted(place.rglob("gt/gt_sharp.png"))
    files = [(f, f.parents[1] / "real_blur/real_blur.png") for f in sharp]
    return _paired(place, files, "gt/gt_sharp.png and real_blur/real_blur.png")


def _root_of_list(place: Path, lines: list[list[str]]) -> Path:
    """The folder that the paths of a list start from: where its first sharp picture is, else the list's own."""
    folder = place.absolute().parent
    first = Path(lines[0][0]) if lines else Path()
    return next((root for root in (folder, folder.parent) if (root / first).is_file()), folder)


def _paired(place: Path, files: list[tuple[Path, Path]], wanted: str) -> list[tuple[str, Path, Path]]:
    if not files:
        raise DataError(f"{place} holds no pairs ({wanted})")
    if missing := [b for _, b in files if not b.is_file()]:
        raise DataError(f"{len(missing)} of {len(files)} sharp pictures lack their blurred one, first {missing[0]}")
    return [(f.relative_to(place).as_posix(), f, b) for f, b in files]


class RecordedPairs(Dataset):
    """What datasets of recorded pairs do with their files; the settings are fields of the datasets themselves."""

    path: str
    halved: bool
    size: int | None
    margin: int
    mode: Literal["gray", "rgb"]
    limit: int | None
    group_depth: ClassVar[int] = 1

    def find(self) -> list[tuple[str, Path, Path]]:
        """Name, sharp and blurred file of every pair. Raises DataError when the set is not there."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        View(self.mode, self.halved, self.size)

    def ids(self) -> list[str]:
        """Names of the sharp pictures."""
        return spread(list(self._files), self.limit)

    def load(self, id: str) -> Image:
        """The sharp picture alone, for a synthetic blur: scene (C, H + 2 margin, W + 2 margin)."""
        return Image(id, self._view(self._file(id)[0], self.margin), self.margin)

    def recorded(self, id: str) -> Measurement:
        """The pair: y and truth (C, H, W), an impulse in place of the unknown PSF, no level of noise."""
        sharp, blurred = self._file(id)
        truth, y = self._view(sharp), self._view(blurred)
        if truth.shape != y.shape:
            raise DataError(f"{sharp} and {blurred} differ in size: {truth.shape[1:]} and {y.shape[1:]}")
        return Measurement(y=y, truth=truth, psf=np.ones((1, 1)), T=1.0, level=NoiseLevel(0.0, 0.0))

    def group_of(self, id: str) -> str:
        """The folder ``group_depth`` above the sharp picture: the sequence of GoPro, the scene of RSBlur."""
        return self._file(id)[0].absolute().parents[self.group_depth].name

    def fingerprint(self, id: str) -> str:
        """A digest of the files' paths, sizes and times and of the settings."""
        files = [stat_of(f) for f in self._file(id)]
        return fingerprint(__file__, files, self.mode, self.halved, self.size, self.margin)

    @property
    def _view(self) -> View:
        return View(self.mode, self.halved, self.size)

    def _file(self, id: str) -> tuple[Path, Path]:
        if id not in self._files:
            name = type(self).__name__.lower()
            raise DataError(f"{name}: no picture {id!r} in {self.path}. {did_you_mean(id, self._files)}")
        return self._files[id]

    @cached_property
    def _files(self) -> dict[str, tuple[Path, Path]]:
        return {name: (sharp, blurred) for name, sharp, blurred in self.find()}
