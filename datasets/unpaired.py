"""Photographs that came out blurred: nobody has the sharp version, and the question is what solvers make of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from bench import DataError, Dataset, Image, NoiseLevel, SettingError
from bench.errors import did_you_mean
from bench.imaging.measure import Measurement
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
from bench.imaging.psf_files import READERS, read_psf


@dataclass(frozen=True)
class Unpaired(Dataset):
    """Your own blurred photographs, without sharp versions, for the operator ``recorded``: a gallery, no scores.

    What compares with a true picture stays empty for them; times and, with a known PSF, the residual χ² do not.
    Without ``psf`` blind solvers alone have cells. The noise model of the grid says what solvers assume of the noise.

    PNG, JPEG, WebP, TIFF and npy files as in ``folder``; an id is the file's path below ``path``. Raises DataError if
    the folder is missing or holds no picture, and one that lists every picture that is unreadable or too small.
    """

    sharp: ClassVar[bool] = False

    path: str
    #: file of the PSF of all pictures (PNG, TIFF, npy, mat), or a folder with one for each, of the picture's name
    psf: str | None = None
    #: the files hold the PSF turned by 180 degrees (the kernel of a correlation)
    rotate180: bool = False
    #: side, or height and width, of the centred crop; None for the whole picture
    size: int | tuple[int, int] | None = None
    #: length that the short side gets first (antialiased Lanczos; without ``psf``, whose pixels it would change)
    resize: int | None = None
    mode: Literal["gray", "rgb", "as_is"] = "as_is"
    #: only the first so many
    limit: int | None = None
    #: regular expression that names an image's source in its id, as in ``folder``
    group: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in (modes := ("gray", "rgb", "as_is")):
            raise SettingError(f"unpaired: no mode {self.mode!r}. {did_you_mean(self.mode, modes)}")
        if any(n is not None and n < 1 for n in (self.resize, self.limit, *(self._size or ()))):
            raise SettingError("unpaired: size, resize and limit must be at least 1")
        if self.resize is not None and self.psf is not None:
            raise SettingError("unpaired: resize would change what the PSF is in pixels: resize or psf, not both")
        require_group(self.group, "unpaired")

    def ids(self) -> list[str]:
        """Paths below ``path``; only the files' headers are read."""
        names, bad = self._names[: self.limit], []
        for name in names:
            try:
                self._shape(self._root / name)
            except DataError as e:
                bad.append(str(e))
        if bad:
            raise DataError(f"unpaired: {len(bad)} of {len(names)} pictures cannot be used:\n  {listed(bad)}")
        return names

    def load(self, id: str) -> Image:
        """The photograph itself (1 or 3, H, W): as it was taken, not sharp."""
        path = self._root / id
        stat_of(path)
        picture = as_mode(read(path), self.mode)
        resized, (H, W) = self._shape(path)
        if resized != picture.shape[1:]:
            picture = resize(picture, resized)
        return Image(id, window(picture, (resized[0] // 2, resized[1] // 2), (H, W)))

    def recorded(self, id: str) -> Measurement:
        """The photograph as a measurement without a truth; its PSF is an impulse where ``psf`` is not given."""
        known = self.psf is not None
        psf = read_psf(self._psf_file(id), rotate180=self.rotate180) if known else np.ones((1, 1))
        y = self.load(id).scene
        return Measurement(y=y, truth=None, psf=psf, T=1.0, level=NoiseLevel(0.0, 0.0), psf_known=known)

    def knows_psf(self) -> bool:
        """Whether ``psf`` is given."""
        return self.psf is not None

    def group_of(self, id: str) -> str | None:
        """What ``group`` matches in the id; None without it."""
        return None if self.group is None else group_in(self.group, id, "unpaired")

    def fingerprint(self, id: str) -> str:
        """A digest of the files' paths, sizes and times and of the settings."""
        files = [self._root / id, *([self._psf_file(id)] if self.psf else [])]
        settings = [self._size, self.resize, self.mode, self.rotate180]
        return fingerprint(__file__, id, [stat_of(f) for f in files], settings)

    def _psf_file(self, id: str) -> Path:
        place = Path(str(self.psf)).expanduser()
        if not place.is_dir():
            return place
        own = [f for s in READERS if (f := place / Path(id).with_suffix(s)).is_file()]
        if not own:
            raise DataError(f"unpaired: {place} holds no PSF for {id}: {Path(id).stem} with {', '.join(READERS)}")
        return own[0]

    @property
    def _root(self) -> Path:
        return root_of(self.path, "unpaired")

    @property
    def _size(self) -> tuple[int, int] | None:
        return sides(self.size)

    @cached_property
    def _names(self) -> list[str]:
        return names_in(self._root, "unpaired")

    def _shape(self, path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
        """The shape after resizing, and that of the crop. Raises DataError if it cannot be read or is too small."""
        H, W = shape_of(path)
        if self.resize:
            H, W = with_short_side((H, W), self.resize)
        h, w = self._size or (H, W)
        if h > H or w > W:
            raise DataError(f"{path}: too small: {H} x {W}, {h} x {w} is needed (size)")
        return (H, W), (h, w)
