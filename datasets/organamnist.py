"""OrganAMNIST of MedMNIST: small CT crops centred on an organ, from your own copy or through the package medmnist."""

from __future__ import annotations

import importlib
import re
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib import format as npy

from bench import DataError, Dataset, Image, SettingError
from bench.errors import did_you_mean
from bench.imaging.picture_files import fingerprint, stat_of

RECIPE = """There are two ways to get it (about 38 MB at 28 x 28, CC BY 4.0; this project ships no copy):
  pip install medmnist, and in the grid  organamnist: {download: true}
  or download organamnist.npz from medmnist.com, and in the grid  organamnist: {path: FOLDER-OR-FILE}"""
SIDES = (28, 64, 128, 224)


@dataclass(frozen=True)
class Organamnist(Dataset):
    """OrganAMNIST (MedMNIST): gray CT crops of 28 x 28, or the 64, 128 or 224 of MedMNIST+; your copy or a download.

    Without ``path``, the copy that the package medmnist keeps in ~/.medmnist is read, and with ``download: true``
    medmnist is asked to fetch it, which checks its md5. The file is organamnist.npz, or organamnist_64.npz and so on,
    with uint8 arrays train_images, val_images and test_images (n, side, side); labels are not read. The splits are
    MedMNIST's own: their slices come from different scans. An image's values are divided by 255.

    ``margin`` is 0: the whole crop is the field of view, and a blur needs ``boundary: circular``. With a margin, the
    sensor sees all but that many pixels of the crop.

    Source: J. Yang et al., "MedMNIST v2", Scientific Data 10:41, 2023; the CT scans are those of LiTS (P. Bilic et
    al., Medical Image Analysis 84, 2023). Raises DataError, with where to get the data, if there is no file.
    """

    path: str | None = None
    split: Literal["train", "val", "test"] = "test"
    #: side of a crop in pixels, margin included: 28, or the larger editions of MedMNIST+
    side: Literal[28, 64, 128, 224] = 28
    margin: int = 0
    #: only the first so many
    limit: int | None = None
    #: let medmnist download the file, if it is not there and ``path`` is not given
    download: bool = False

    def __post_init__(self) -> None:
        if self.split not in ("train", "val", "test"):
            allowed = did_you_mean(self.split, ["train", "val", "test"])
            raise SettingError(f"organamnist: no split {self.split!r}. {allowed}")
        if self.side not in SIDES:
            raise SettingError(f"organamnist: side must be one of {', '.join(map(str, SIDES))}, got {self.side}")
        if not 0 <= self.margin < self.side / 2 or (self.limit is not None and self.limit < 1):
            raise SettingError("organamnist: margin must leave pixels to see, limit must be at least 1")

    def ids(self) -> list[str]:
        """Names like "test_00012", the number in MedMNIST's file; no pixel is read."""
        n = _length(self._file(), self._array, self.side)
        return [f"{self.split}_{i:05d}" for i in range(n if self.limit is None else min(n, self.limit))]

    def load(self, id: str) -> Image:
        """The crop of that name: scene (1, side, side)."""
        file = self._file()
        number = re.fullmatch(rf"{self.split}_(\d{{5,}})", id)
        if number is None or int(number[1]) >= _length(file, self._array, self.side):
            raise DataError(f"organamnist: no crop {id!r} in {file}; names are like {self.split}_00000")
        pixels = _images(file, self._array, file.stat().st_mtime_ns)[int(number[1])]
        return Image(id, pixels[None].astype(np.float64) / 255, self.margin)

    def fingerprint(self, id: str) -> str:
        """A digest of the file's path, size and time and of the settings."""
        return fingerprint(__file__, id, stat_of(self._file()), self.side, self.margin)

    @property
    def _array(self) -> str:
        return f"{self.split}_images"

    def _file(self) -> Path:
        name = "organamnist.npz" if self.side == 28 else f"organamnist_{self.side}.npz"
        place = Path(self.path or "~/.medmnist").expanduser()
        file = place if place.suffix == ".npz" else place / name
        if file.is_file():
            return file
        if self.download and self.path is None:
            return _downloaded(file, self.side)
        raise DataError(f"organamnist: {file.absolute()} is not there. {RECIPE}")


def _downloaded(file: Path, side: int) -> Path:
    try:
        medmnist = importlib.import_module("medmnist")
    except ImportError as e:
        raise DataError(f"organamnist: download: true needs the package medmnist. {RECIPE}") from e
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        medmnist.OrganAMNIST(split="test", download=True, root=str(file.parent), size=side)
    except RuntimeError as e:  # what medmnist raises whatever went wrong
        raise DataError(f"organamnist: medmnist could not download {file.name}: {e} {RECIPE}") from e
    return file


def _length(file: Path, array: str, side: int) -> int:
    """Number of images, from the array's header alone. Raises DataError if it does not hold such images."""
    try:
        with zipfile.ZipFile(file) as z, z.open(f"{array}.npy") as f:
            npy.read_magic(f)
            shape, _, dtype = npy.read_array_header_1_0(f)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as e:
        raise DataError(f"{file}: no {array} can be read from it ({e}). {RECIPE}") from e
    if dtype != np.uint8 or len(shape) != 3 or shape[1:] != (side, side):
        raise DataError(f"{file}: {array} is {dtype} {shape}, not uint8 (n, {side}, {side}) as side: {side} says")
    return shape[0]


@lru_cache(maxsize=2)
def _images(file: Path, array: str, mtime_ns: int) -> np.ndarray:  # noqa: ARG001 (part of the cache's key)
    try:
        with np.load(file, allow_pickle=False) as content:
            return content[array]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as e:
        raise DataError(f"{file}: {array} is damaged ({e}). {RECIPE}") from e
