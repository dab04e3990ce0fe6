"""Pictures of the user's own, from a folder."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench import DataError, Dataset, Image, SettingError
from bench.errors import did_you_mean
from bench.imaging.picture_files import (
    as_mode,
    fingerprint,
    read,
    resize,
    shape_of,
    stat_of,
    window,
    with_short_side,
)
from bench.imaging.picture_folders import group_in, listed, names_in, require_group, root_of, sides
from bench.seeds import digest, generator

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Folder(Dataset):
    """Your own pictures: PNG, JPEG, WebP, TIFF (8 and 16 bit) and npy in a folder, split by list or by hash.

    Subfolders are searched; an id is the file's path below ``path`` with forward slashes, in sorted order. The
    EXIF orientation is honoured, alpha is composited on black, the first frame of several is taken; npy arrays
    are uint8, uint16 or float within [0, 1]. Hidden files are left out; links to files are followed, links to
    folders are not.

    Without ``size`` the scene is the whole picture, of which the sensor sees all but ``margin`` pixels.

    With ``frames: N`` the pictures are a sequence in the order of their names: solvers that take bursts see each with
    its (N - 1)/2 neighbours on both sides, cut at the same place; the ends, which lack some, are no images of their
    own. ``split`` then takes pieces of the sequence, so that no neighbour belongs to another split.

    Raises DataError if the folder is missing or holds no picture (of that split), and, with ``on_bad: error``,
    one that lists every selected file that is unreadable, cut short or too small.
    """

    path: str
    #: side, or height and width, of the field of view; None for the whole picture
    size: int | tuple[int, int] | None = None
    #: pixels of real scene around it, for a PSF of up to 2 margin + 1 pixels
    margin: int = 32
    #: what lies there: pixels of the picture, or the field of view mirrored at its edge (nn.ReflectionPad2d), for
    #: pictures that show no more: a ``valid`` blur is then one with reflected boundary, which no solver is told
    outside: Literal["picture", "reflect"] = "picture"
    #: where the scene is cut; random places follow from ``seed`` and the id alone
    crop: Literal["centre", "random"] = "centre"
    #: length that the short side gets before the crop (antialiased Lanczos); None for no resizing
    resize: int | None = None
    mode: Literal["gray", "rgb", "as_is"] = "gray"
    #: None for all pictures
    split: Literal["train", "val", "test"] | None = None
    #: text file with one id a line that lists the split, "{split}" in it is filled in; None: by a hash of the id,
    #: or by the place in a sequence
    split_file: str | None = None
    #: shares of train, val and test when the hash, or the place in a sequence, decides; they sum to 1
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    #: only the first so many
    limit: int | None = None
    #: pictures of a burst, odd; 1 for single pictures
    frames: int = 1
    #: regular expression that names an image's source (patient, sequence) in its id: the first group in parentheses,
    #: else all that matches; None: each picture is its own, and the frames of a sequence are one
    group: str | None = None
    seed: int = 0
    on_bad: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("crop", ("centre", "random")),
            ("outside", ("picture", "reflect")),
            ("mode", ("gray", "rgb", "as_is")),
            ("split", (*SPLITS, None)),
            ("on_bad", ("error", "skip")),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise SettingError(f"folder: no {name} {value!r}. {did_you_mean(value, map(str, allowed))}")
        sides = [self.resize, self.limit, *(self._size or ())]
        if any(n is not None and n < 1 for n in sides) or self.margin < 0:
            raise SettingError("folder: size, resize and limit must be at least 1, margin at least 0")
        if self.outside == "reflect" and self._size and min(self._size) <= self.margin:
            raise SettingError(f"folder: a margin of {self.margin} px cannot be mirrored from a size of {self.size}")
        if self.frames < 1 or self.frames % 2 == 0:
            raise SettingError(f"folder: frames must be odd, so that one is in the middle, got {self.frames}")
        if self.frames > 1 and self.on_bad == "skip":
            raise SettingError("folder: a sequence cannot do without a frame: on_bad: skip is for single pictures")
        require_group(self.group, "folder")
        if len(self.fractions) != 3 or min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-9:
            raise SettingError(f"folder: fractions are the shares of train, val and test, got {self.fractions}")

    def group_of(self, id: str) -> str | None:
        """What ``group`` matches in the id; without it the folder where the pictures are one sequence, else None."""
        if self.group is None:
            return self._root.name if self.frames > 1 else None
        return group_in(self.group, id, "folder")

    def ids(self) -> list[str]:
        """Paths below ``path``; only the files' headers are read."""
        names, half = self._names(), self.frames // 2
        if len(names) < self.frames:
            raise DataError(f"folder: {len(names)} pictures of {self._root} make no burst of {self.frames} frames")
        good = self._usable(names, None if self.limit is None else self.limit + 2 * half)
        return good[half : len(good) - half]

    def _names(self) -> list[str]:
        """All pictures of the split, in order."""
        return self._listed() if self.split_file else self._searched()

    def _usable(self, names: Sequence[str], limit: int | None) -> list[str]:
        good, bad = [], []
        for name in names:
            if len(good) + (len(bad) if self.on_bad == "error" else 0) == limit:
                break
            try:
                self._fit(self._root / name, shape_of(self._root / name))
                good.append(name)
            except DataError as e:
                bad.append(str(e))
        self._report(good, bad)
        return good

    def load(self, id: str) -> Image:
        """The picture at that path: scene (1 or 3, H + 2 margin, W + 2 margin), and the burst around it."""
        if self.frames == 1:
            return Image(id, self._scene(id, id), self.margin)
        scenes = [self._scene(name, id) for name in self._around(id)]
        if differing := {s.shape for s in scenes if s.shape != scenes[0].shape}:
            raise DataError(f"folder: the frames around {id} differ in shape: {scenes[0].shape}, {differing.pop()}")
        return Image(id, scenes[self.frames // 2], self.margin, np.stack(scenes))

    def _scene(self, name: str, id: str) -> np.ndarray:
        """What is cut out of a picture for the image ``id``."""
        path = self._root / name
        stat_of(path)  # names the file if it is missing
        picture = as_mode(read(path), self.mode)
        resized, scene = self._fit(path, picture.shape[1:])
        if resized != picture.shape[1:]:
            picture = resize(picture, resized)
        cut, m = window(picture, self._centre(id, resized, scene), scene), self.margin
        return np.pad(cut, ((0, 0), (m, m), (m, m)), "reflect") if self.outside == "reflect" else cut

    def _around(self, id: str) -> list[str]:
        """The names of a burst."""
        names, half = self._names(), self.frames // 2
        at = names.index(id) if id in names else -1
        if not half <= at < len(names) - half:
            raise DataError(f"folder: {id!r} is not in the middle of {self.frames} frames of {self._root}")
        return names[at - half : at + half + 1]

    def fingerprint(self, id: str) -> str:
        """A digest of the file's path, size and time and of the settings that shape the picture."""
        settings = [self._size, self.margin, self.outside, self.crop, self.resize, self.mode, self.seed]
        names = [id] if self.frames == 1 else self._around(id)
        return fingerprint(__file__, id, [stat_of(self._root / n) for n in names], settings)

    @property
    def _root(self) -> Path:
        return root_of(self.path, "folder")

    @property
    def _size(self) -> tuple[int, int] | None:
        return sides(self.size)

    def _fit(self, path: Path, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """The shape after resizing, and that of the scene to be cut out of it."""
        H, W = shape
        if self.resize:
            H, W = with_short_side((H, W), self.resize)
        margin = 0 if self.outside == "reflect" else self.margin
        h, w = (n + 2 * margin for n in self._size) if self._size else (H, W)
        # To be mirrored, a margin must be shorter than the side.
        least = self.margin + 1 if self.outside == "reflect" else 2 * margin + 1
        if min(h, w) < least or h > H or w > W:
            need = f"{h} x {w} (size and margin)" if h >= least else f"{least} x {least} (margin {self.margin})"
            raise DataError(f"{path}: too small: {H} x {W}{' after resizing' * bool(self.resize)}, {need} is needed")
        return (H, W), (h, w)

    def _centre(self, id: str, shape: tuple[int, int], scene: tuple[int, int]) -> tuple[int, int]:
        if self.crop == "centre":
            r, c = ((n - s) // 2 for n, s in zip(shape, scene, strict=True))
        else:
            rng = generator("folder crop", self.seed, id)
            r, c = (int(rng.integers(n - s + 1)) for n, s in zip(shape, scene, strict=True))
        return r + scene[0] // 2, c + scene[1] // 2

    def _searched(self) -> list[str]:
        names = names_in(self._root, "folder")
        places = (self._hash(n) if self.frames == 1 else (i + 0.5) / len(names) for i, n in enumerate(names))
        chosen = [n for n, u in zip(names, places, strict=True) if self.split in (None, self._split_at(u))]
        if not chosen:
            raise DataError(
                f"folder: none of the {len(names)} pictures in {self._root} falls into split {self.split}"
            )
        return chosen

    def _hash(self, name: str) -> float:
        return int(digest(["folder split", name])[:13], 16) / 16**13

    def _split_at(self, u: float) -> str:
        """The split of a place in [0, 1)."""
        return SPLITS[min(int(np.searchsorted(np.cumsum(self.fractions), u, side="right")), 2)]

    def _listed(self) -> list[str]:
        list_file = Path(str(self.split_file).replace("{split}", self.split or "")).expanduser()
        try:
            lines = [line.strip() for line in list_file.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as e:  # ValueError: not UTF-8, or a name that no file can have
            raise DataError(f"folder: cannot read the list of pictures {list_file} ({e})") from e
        names = [n for n in lines if n and not n.startswith("#")]
        twice = sorted(n for n, k in Counter(names).items() if k > 1)
        if not names or twice:
            raise DataError(f"folder: {list_file} lists " + (f"twice: {', '.join(twice)}" if twice else "no picture"))
        for name in names:
            if not _is_below(name):
                raise DataError(f"folder: {list_file} lists {name!r}, which does not lie below {self.path}")
        return names

    def _report(self, good: list[str], bad: list[str]) -> None:
        if not bad:
            return
        if self.on_bad == "error" or not good:
            raise DataError(
                f"folder: {len(bad)} of {len(good) + len(bad)} pictures in {self._root} cannot be used "
                f"(on_bad: skip leaves them out):\n  {listed(bad)}"
            )
        warnings.warn(
            f"folder: {len(bad)} unusable pictures in {self._root} were skipped:\n  {listed(bad)}", stacklevel=3
        )


def _is_below(name: str) -> bool:
    """Whether a listed name stays in the folder: a list may come from somebody else."""
    return name.isprintable() and not Path(name).is_absolute() and ".." not in Path(name).parts
