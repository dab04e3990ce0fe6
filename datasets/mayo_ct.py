"""CT slices of the Mayo Clinic as PNG files, as master students at the University of Bologna used them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image as Pil

from bench import DataError, Dataset, Image, SettingError
from bench.errors import did_you_mean
from bench.imaging.picture_files import fingerprint, pictures_in, read, resize, shape_of, stat_of

RECIPE = """The folder must hold raw_data/train/ and raw_data/test/ (or train/ and test/) with CT slices as PNG files.
The low-dose CT data of the Mayo Clinic are at The Cancer Imaging Archive (collection LDCT-and-Projection-data) and at
the AAPM Low Dose CT Grand Challenge, free upon registration; export the slices to 8-bit PNG, whole patients either to
train or to test. This project ships no copy."""


@dataclass(frozen=True)
class MayoCt(Dataset):
    """Mayo Clinic CT slices (raw_data/train and raw_data/test, PNG) at 128 x 128, from your own copy.

    Conversion: Pillow's gray, resized to size + 2 margin pixels a side with Pillow's antialiased bicubic filter
    (whatever the aspect ratio was), divided by 255. 16-bit files are resized in float32 and clipped to [0, 1].
    ``margin`` is 0: the whole slice is the field of view and the grid says ``boundary: circular``; with a margin,
    the sensor sees all but that many pixels of the resized slice.

    ``test`` is the test folder. ``val`` is taken from the train folder: the last patients, as many as it takes to
    hold ``val_fraction`` of the slices but never all. A slice's patient is its subfolder or, without one, what
    stands before the last number of its name ("C002_0137.png" is of patient "C002"). If that tells no two patients
    apart, ``val`` is the last slices in the order of their numbers: neighbours are nearly equal, so it is one block.

    Raises DataError, with where to get the data, if the folders are missing.
    """

    path: str
    split: Literal["train", "val", "test"] = "test"
    size: int = 128
    margin: int = 0
    #: only the first so many
    limit: int | None = None
    #: share of the train folder's slices that is held out as val
    val_fraction: float = 0.1

    def __post_init__(self) -> None:
        if self.split not in ("train", "val", "test"):
            raise SettingError(
                f"mayo_ct: no split {self.split!r}. {did_you_mean(self.split, ['train', 'val', 'test'])}"
            )
        if self.size < 1 or self.margin < 0 or (self.limit is not None and self.limit < 1):
            raise SettingError("mayo_ct: size and limit must be at least 1, margin at least 0")
        if not 0 < self.val_fraction < 1:
            raise SettingError(f"mayo_ct: val_fraction lies between 0 and 1, got {self.val_fraction}")

    def ids(self) -> list[str]:
        """Paths below the train or test folder, sorted by patient and number; no file is opened."""
        slices = self._slices("test" if self.split == "test" else "train")
        if self.split != "test":
            n = _first_of_val(slices, self.val_fraction)
            slices = slices[n:] if self.split == "val" else slices[:n]
        return slices[: self.limit]

    def load(self, id: str) -> Image:
        """The slice at that path: scene (1, size + 2 margin, size + 2 margin)."""
        path, side = self._path(id), self.size + 2 * self.margin
        stat_of(path)  # names the file if it is missing
        shape_of(path)  # names the file if it is no picture, or cut short
        return Image(id, converted(path, side), self.margin)

    def group_of(self, id: str) -> str | None:
        """The patient; None where the name tells none."""
        return patient_of(id) or None

    def fingerprint(self, id: str) -> str:
        """A digest of the file's path, size and time and of the settings."""
        return fingerprint(__file__, id, stat_of(self._path(id)), self.size, self.margin)

    def _path(self, id: str) -> Path:
        return self._folder("test" if self.split == "test" else "train") / id

    def _folder(self, name: str) -> Path:
        root = Path(self.path).expanduser()
        places = [root / "raw_data" / name, root / name]
        for place in places:
            if place.is_dir():
                return place
        raise DataError(f"mayo_ct: neither {places[0].absolute()} nor {places[1].absolute()} is a folder. {RECIPE}")

    def _slices(self, name: str) -> list[str]:
        folder = self._folder(name)
        slices = [p.relative_to(folder).as_posix() for p in pictures_in(folder, (".png",))]
        if not slices:
            raise DataError(f"mayo_ct: no PNG files in {folder.absolute()}. {RECIPE}")
        return sorted(slices, key=lambda s: (patient_of(s), _numbers(s), s))


def converted(path: Path, side: int) -> np.ndarray:
    """The slice as (1, side, side) float64 in [0, 1]."""
    with Pil.open(path) as im:
        if im.mode.startswith("I"):
            return resize(read(path, "gray"), (side, side), Pil.Resampling.BICUBIC)
        try:
            gray = im.convert("L").resize((side, side), Pil.Resampling.BICUBIC)
        except (OSError, SyntaxError) as e:
            raise DataError(f"{path}: not a readable picture ({e})") from e
    return np.asarray(gray, np.float64)[None] / 255


def patient_of(id: str) -> str:
    """The slice's subfolder or, without one, its name up to the last number."""
    folder, _, name = id.rpartition("/")
    if folder:
        return folder
    stem = re.sub(r"\d+\D*$", "", name.rpartition(".")[0])
    return stem.rstrip("_-. ")


def _numbers(id: str) -> list[int]:
    # So that slice 2 comes before slice 10.
    return [int(n) for n in re.findall(r"\d+", id.rpartition("/")[2])]


def _first_of_val(slices: list[str], fraction: float) -> int:
    """Where val begins in slices that are sorted by patient."""
    n = len(slices) - max(1, round(fraction * len(slices)))
    patients = [patient_of(s) for s in slices]
    if len(set(patients)) < 2:
        return n
    # Down to the first slice of the patient in whom the fraction is reached, but not into the first patient.
    begin = patients.index(patients[n])
    return begin or patients.index(next(p for p in patients if p != patients[0]))
