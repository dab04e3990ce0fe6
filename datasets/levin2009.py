"""Levin et al. 2009: photographs of a picture taken with a shaking camera, beside the measured kernels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from scipy.signal import fftconvolve

from bench import DataError, Dataset, Image, NoiseLevel, SettingError
from bench.errors import did_you_mean
from bench.imaging.measure import Measurement
from bench.imaging.picture_files import fingerprint, read, stat_of

#: how far, in pixels, picture and kernel may be out of step; up to 5 was seen in the set
SHIFT = 9
RECIPE = """Two layouts are known:
  im1_kernel1_img.png ... im4_kernel8_img.png, gt/im1.png ... gt/im4.png, gt/kernel1.png ... gt/kernel8.png
  im05_flit01.mat ... im08_flit08.mat, each with the variables x (sharp), y (blurred) and f (kernel)
The data belong to A. Levin, Y. Weiss, F. Durand and W. T. Freeman, who distribute them with their paper
"Understanding and evaluating blind deconvolution algorithms" (CVPR 2009); this project ships no copy."""


class Triple(NamedTuple):
    """Files of one measurement; in the .mat layout, all three are the same."""

    y: Path
    x: Path
    f: Path


@dataclass(frozen=True)
class Levin2009(Dataset):
    """Levin et al. 2009: 32 real camera-shake pictures (4 scenes x 8 measured kernels), from your own copy.

    With ``use: recorded``, an id is one photograph ("im1_kernel1"), for the operator ``recorded``. With
    ``use: sharp``, an id is one sharp picture ("im1"), for synthetic blurs. ``load`` gives the sharp picture either
    way, of which the sensor sees all but ``margin`` pixels on each side.

    The files leave open which of a kernel and its rotation by 180 degrees is the one to convolve with (in the PNG
    layout it differs from kernel to kernel), and sharp and blurred picture are out of step by a few pixels.
    ``recorded`` settles both: of the two orientations and all shifts of up to 9 pixels it takes the one whose
    blurred sharp picture is closest to the recorded one, in mean square over the pixels that all of them predict.
    The shift goes into the PSF, which is padded so that its middle is the origin: what explains y aligns with x.

    Source: A. Levin, Y. Weiss, F. Durand, W. T. Freeman, "Understanding and evaluating blind deconvolution
    algorithms", CVPR 2009.
    """

    path: str
    use: Literal["recorded", "sharp"] = "recorded"
    #: pixels around the field of view of ``load``; recorded measurements have none
    margin: int = 32
    #: only the first so many
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.use not in ("recorded", "sharp"):
            raise SettingError(f"levin2009: no use {self.use!r}. {did_you_mean(self.use, ['recorded', 'sharp'])}")
        if self.margin < 0 or (self.limit is not None and self.limit < 1):
            raise SettingError("levin2009: margin must be at least 0, limit at least 1")

    def ids(self) -> list[str]:
        """Names of the photographs, or of the sharp pictures, in the order of their numbers."""
        return list(self._files())[: self.limit]

    def load(self, id: str) -> Image:
        """The sharp picture behind that name: scene (1, H + 2 margin, W + 2 margin)."""
        files = self._file(id)
        x = _array(files.x, "x")
        if min(x.shape) <= 2 * self.margin:
            raise DataError(
                f"{files.x}: {x.shape[0]} x {x.shape[1]} pixels leave nothing within margin {self.margin}"
            )
        if x.min() < 0 or x.max() > 1:
            raise DataError(f"{files.x}: the sharp picture has values from {x.min():g} to {x.max():g}, not in [0, 1]")
        return Image(id, x[None], self.margin)

    def recorded(self, id: str) -> Measurement:
        """What the camera recorded: y and truth (1, H, W) aligned with each other, the PSF, T = 1.

        ``level`` is what the pictures tell about the noise: sigma is the RMS of y minus the blurred truth, which
        holds the kernel's own error too; the gain of photon noise is not known and given as 0. A grid's noise model
        decides what solvers assume. Raises DataError with ``use: sharp``.
        """
        if self.use == "sharp":
            raise DataError("levin2009: use: sharp has no recorded pictures; say use: recorded")
        files = self._file(id)
        x, y, f = _array(files.x, "x"), _array(files.y, "y"), _array(files.f, "f")
        if x.shape != y.shape:
            raise DataError(f"{files.y}: {y.shape} pixels, but {files.x} has {x.shape}")
        if f.min() < 0 or f.sum() <= 0:
            raise DataError(f"{files.f}: a kernel must not be negative, nor zero everywhere")
        if min(x.shape) < 2 * (max(f.shape) // 2 + SHIFT) + 16:
            raise DataError(f"{files.x}: {x.shape} pixels are too few to align with a kernel of {f.shape}")
        psf, residual = aligned(x, y, f / f.sum())
        return Measurement(y=y[None], truth=x[None], psf=psf, T=1.0, level=NoiseLevel(0.0, residual))

    def group_of(self, id: str) -> str:
        """The picture, which eight shakes photographed."""
        return id.partition("_")[0]

    def fingerprint(self, id: str) -> str:
        """A digest of the files' paths, sizes and times and of the settings."""
        stats = [stat_of(p) for p in sorted(set(self._file(id)))]
        return fingerprint(__file__, id, stats, self.use, self.margin)

    def _file(self, id: str) -> Triple:
        files = self._files()
        if id not in files:
            raise DataError(f"levin2009: no picture {id!r} in {self.path}. {did_you_mean(id, files)}")
        return files[id]

    def _files(self) -> dict[str, Triple]:
        root = Path(self.path).expanduser()
        triples = _png_layout(root) or _mat_layout(root)
        if not triples:
            raise DataError(f"levin2009: nothing of the set in {root.absolute()}. {RECIPE}")
        missing = sorted({str(p) for t in triples.values() for p in t if not p.is_file()})
        if missing:
            raise DataError(f"levin2009: missing: {', '.join(missing[:10])} ({len(missing)} in all). {RECIPE}")
        if self.use == "recorded":
            return {f"im{i}_kernel{k}": t for (i, k), t in sorted(triples.items())}
        # The first photograph of each scene stands for its sharp picture.
        first = {i: t for (i, _), t in sorted(triples.items(), reverse=True)}
        return {f"im{i}": first[i] for i in sorted(first)}


def aligned(x: np.ndarray, y: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, float]:
    """The PSF (odd sides, centre at size // 2) with which x (H, W) explains y (H, W) best, and its RMS residual.

    Searched: f and f rotated by 180 degrees, shifted by up to 9 pixels along each axis.
    """
    fits = [_best_shift(x, y, k) for k in (f, f[::-1, ::-1])]
    residual, shift, kernel = min(fits, key=lambda fit: fit[0])
    return centred(kernel, shift), residual


def _best_shift(x: np.ndarray, y: np.ndarray, f: np.ndarray) -> tuple[float, tuple[int, int], np.ndarray]:
    # Pixel (i, j) of the prediction lies on pixel (i + a, j + b) of x: only where f does not leave x.
    predicted = fftconvolve(x, f, "valid")
    a, b = (f.shape[0] - 1) // 2, (f.shape[1] - 1) // 2
    (H, W), s = predicted.shape, SHIFT
    # A fixed window of y, so that all shifts are judged on the same pixels.
    seen = y[a + s : a + H - s, b + s : b + W - s]
    best = (np.inf, (0, 0))
    for dr in range(-s, s + 1):
        for dc in range(-s, s + 1):
            moved = predicted[s - dr : H - s - dr, s - dc : W - s - dc]
            best = min(best, (float(np.sqrt(np.mean((moved - seen) ** 2))), (dr, dc)))
    return *best, f


def centred(f: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """The kernel moved by ``shift`` (rows, columns), in the smallest odd support with the origin in its middle."""
    rows, cols = (np.flatnonzero(f.any(axis=1 - axis)) for axis in (0, 1))
    dr, dc = (shift[axis] - f.shape[axis] // 2 for axis in (0, 1))
    a, b = (int(np.abs(n + d).max()) for n, d in ((rows, dr), (cols, dc)))
    psf = np.zeros((2 * a + 1, 2 * b + 1))
    inside = f[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    r, c = rows[0] + dr + a, cols[0] + dc + b
    psf[r : r + inside.shape[0], c : c + inside.shape[1]] = inside
    return psf


def _png_layout(root: Path) -> dict[tuple[int, int], Triple]:
    triples = {}
    for path in root.glob("im*_kernel*_img.png"):
        if m := re.fullmatch(r"im(\d+)_kernel(\d+)_img\.png", path.name):
            i, k = map(int, m.groups())
            triples[i, k] = Triple(path, root / "gt" / f"im{i}.png", root / "gt" / f"kernel{k}.png")
    return triples


def _mat_layout(root: Path) -> dict[tuple[int, int], Triple]:
    triples = {}
    for path in root.glob("im*_flit*.mat"):
        if m := re.fullmatch(r"im(\d+)_flit(\d+)\.mat", path.name):
            i, k = map(int, m.groups())
            triples[i, k] = Triple(path, path, path)
    return triples


def _array(path: Path, variable: str) -> np.ndarray:
    """float64 (H, W): a PNG's gray values, or a variable of a .mat file (8-bit values divided by 255)."""
    return read(path, "gray")[0] if path.suffix == ".png" else _variable(path, variable)


@lru_cache(maxsize=8)
def _mat(path: Path, mtime_ns: int) -> dict[str, np.ndarray]:  # noqa: ARG001 (part of the cache's key)
    try:
        return loadmat(path, variable_names=["x", "y", "f"])
    except (MatReadError, OSError, ValueError, TypeError, NotImplementedError) as e:
        raise DataError(f"{path}: not a readable .mat file ({e})") from e


def _variable(path: Path, name: str) -> np.ndarray:
    content = _mat(path, path.stat().st_mtime_ns)
    a = content.get(name)
    if a is None or a.ndim != 2 or a.dtype.kind not in "uf":
        raise DataError(f"{path}: a real matrix {name!r} is needed; the file has {', '.join(sorted(content))}")
    scale = 255.0 if a.dtype == np.uint8 else 1.0
    return a.astype(np.float64) / scale
