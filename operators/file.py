"""A PSF that somebody measured or published, from a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench import Exposed, Operator, PsfError
from bench.imaging.psf import centred, odd, require, require_exposure
from bench.imaging.psf_files import normalised, read_kernel, turned


@dataclass(frozen=True)
class File(Operator):
    """A PSF from a PNG, TIFF, npy or MATLAB file, padded to odd sides and normalised to unit sum.

    The trap of kernel files: some hold the kernel of a convolution, some that of a correlation, which is the same
    turned by 180 degrees, and nothing in the file says which. Convolution is meant here; if forward-blurring the
    sharp picture does not reproduce the blurred one, set ``rotate180``. (The kernels of Levin et al. 2009 as they
    are passed around in ``Levin09.mat`` need it.)
    """

    path: str  #: .png, .tif, .tiff, .npy or .mat (also v7.3)
    key: str | None = None  #: variable of a .mat file; null: its only array
    index: int = 0  #: which kernel, where the file holds a stack (n, h, w) or a cell array
    rotate180: bool = False  #: turn the kernel by 180 degrees (correlation instead of convolution)
    centre: Literal["keep", "barycentre"] = "keep"  #: origin: the pixel size // 2, or the barycentre (sub-pixel move)
    T: float = 1.0  #: exposure in (0, 1]: less light, more noise

    def __post_init__(self) -> None:
        require(self.index >= 0, "index", self.index, "an integer >= 0")
        require(self.centre in ("keep", "barycentre"), "centre", self.centre, "keep, barycentre")
        require_exposure(self.T)

    def fingerprint(self) -> str:
        """sha256 of the file. Raises PsfError if it cannot be read."""
        try:
            return hashlib.sha256(Path(self.path).read_bytes()).hexdigest()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise PsfError(f"{self.path!r} cannot be read: {error}") from error

    def psf(self, rng: np.random.Generator) -> Exposed:  # noqa: ARG002  the kernel is not random
        """The kernel; the note records the sum it had. Raises PsfError for a file that cannot be a PSF."""
        raw = read_kernel(Path(self.path), self.key, self.index)
        psf = turned(odd(raw)) if self.rotate180 else odd(raw)
        if self.centre == "barycentre":
            psf = centred(psf)
        psf = normalised(psf)
        return Exposed(psf, self.T, f"sum in the file {raw.sum():g}")
