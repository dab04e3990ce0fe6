"""Reading PSFs that somebody measured or published: PNG, TIFF, npy and MATLAB files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import PsfError, did_you_mean
from bench.imaging.psf import LARGEST, odd

#: values of an array that are read to find a kernel in it; more is not a stack of kernels
MOST_VALUES = 64_000_000


def read_psf(path: Path, *, rotate180: bool = False) -> np.ndarray:
    """The first kernel of a file as a PSF: odd sides, unit sum, its origin the middle. Raises PsfError.

    Args:
        path: PNG, TIFF, npy or mat.
        rotate180: the file holds the kernel of a correlation, which is the PSF turned by 180 degrees.
    """
    kernel = odd(read_kernel(path))
    return normalised(turned(kernel) if rotate180 else kernel)


def turned(kernel: np.ndarray) -> np.ndarray:
    """Turned by 180 degrees."""
    return kernel[::-1, ::-1]


def normalised(kernel: np.ndarray) -> np.ndarray:
    """Of unit sum."""
    return np.ascontiguousarray(kernel / kernel.sum())


def read_kernel(path: Path, key: str | None = None, index: int = 0) -> np.ndarray:
    """Kernel ``index`` of a file, float64 (h, w), as it stands there. Raises PsfError for what is no PSF.

    Args:
        path: PNG, TIFF, npy or mat.
        key: variable of a .mat file; None: its only array.
        index: which kernel, where the file holds a stack (n, h, w) or a cell array.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        kind = path.suffix or "a file without suffix"
        raise PsfError(f"{path}: cannot read a PSF from {kind!r}. Allowed: {', '.join(READERS)}.")
    if not _is_file(path):
        raise PsfError(f"{path}: no such file (paths are relative to {Path.cwd()})")
    try:
        kernels = read(path, key)
    except PsfError:
        raise
    except Exception as error:  # each library has its own ways to say that a file is broken
        raise PsfError(f"{path}: cannot be read as {path.suffix} ({type(error).__name__}: {error})") from error
    if index >= len(kernels):
        raise PsfError(f"{path}: index is {index}, the file holds {len(kernels)} kernel(s), counted from 0")
    return _checked(np.asarray(kernels[index]), f"{path}, kernel {index}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL in it
        return False


def _checked(psf: np.ndarray, name: str) -> np.ndarray:
    if psf.ndim != 2 or not psf.size:
        raise PsfError(f"{name}: has shape {psf.shape}; a PSF is (h, w) and not empty")
    if max(psf.shape) > LARGEST:
        raise PsfError(
            f"{name}: is {psf.shape[0]} x {psf.shape[1]} px; at most {LARGEST} px a side are read as a PSF"
        )
    if psf.dtype.kind not in "biuf":
        raise PsfError(f"{name}: has values of type {psf.dtype}; a PSF is real")
    psf = psf.astype(np.float64)
    if not np.isfinite(psf).all():
        raise PsfError(f"{name}: {np.count_nonzero(~np.isfinite(psf))} values are NaN or infinite")
    if psf.min() < 0:
        raise PsfError(f"{name}: {np.count_nonzero(psf < 0)} values are negative, the least {psf.min():g}")
    if not psf.any():
        raise PsfError(f"{name}: all values are zero")
    return psf


def _from_picture(path: Path, key: str | None) -> list[np.ndarray]:  # noqa: ARG001  a picture has no variables
    from PIL import Image

    with Image.open(path) as picture:
        if picture.format == "PNG" and max(picture.size) <= LARGEST:
            picture.verify()  # of its checksums; decoding does not look at them
    with Image.open(path) as picture:
        if max(picture.size) > LARGEST:  # before anything is decoded
            raise PsfError(f"{path}: is {picture.height} x {picture.width} px; at most {LARGEST} px a side are read")
        if picture.mode in ("1", "L", "F") or picture.mode.startswith("I"):
            return [np.asarray(picture)]
        pixels = np.asarray(picture.convert("RGB"))
    if (pixels != pixels[..., :1]).any():
        raise PsfError(f"{path}: is a colour picture; a PSF is grey")
    return [pixels[..., 0]]


def _from_npy(path: Path, key: str | None) -> list[np.ndarray]:  # noqa: ARG001  an npy file has no variables
    array = np.lib.format.open_memmap(path, mode="r")  # of arrays alone: neither objects nor archives
    _check_size(path, array.shape)
    return list(array) if array.ndim == 3 else [array]


def _from_mat(path: Path, key: str | None) -> list[np.ndarray]:
    import h5py
    from scipy.io import loadmat, whosmat

    if h5py.is_hdf5(path):  # MATLAB v7.3 and later; stored transposed, cells as references
        with h5py.File(path) as file:
            data: Any = file[_variable(path, key, [str(k) for k in file if isinstance(file[k], h5py.Dataset)])]
            _check_size(path, data.shape)
            if data.dtype == h5py.ref_dtype:
                cells: list[Any] = [file[reference] for reference in data[()].ravel()]
                for cell in cells:
                    _check_size(path, cell.shape)
                return [np.asarray(cell).T for cell in cells]
            return _slices(data[()].T)
    shapes = {name: shape for name, shape, _ in whosmat(path)}
    name = _variable(path, key, list(shapes))
    _check_size(path, shapes[name])
    array = loadmat(path, variable_names=[name])[name]
    return list(array.ravel(order="F")) if array.dtype == object else _slices(array)


def _check_size(path: Path, shape: tuple[int, ...]) -> None:
    """Raise PsfError for an array that holds no kernels, before it is read."""
    if math.prod(shape) > MOST_VALUES:
        size = " x ".join(map(str, shape))
        raise PsfError(f"{path}: holds an array of {size} values; at most {MOST_VALUES:,} are read for a PSF")


def _slices(array: np.ndarray) -> list[np.ndarray]:
    """MATLAB stacks pictures along the last axis."""
    return list(np.moveaxis(array, -1, 0)) if array.ndim == 3 else [array]


def _variable(path: Path, key: str | None, names: list[str]) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key not in names:
        problem = "holds several variables, choose one by key" if key is None else f"holds no variable {key!r}"
        raise PsfError(f"{path}: {problem}. {did_you_mean(key or '', names)}")
    return key


READERS: dict[str, Callable[[Path, str | None], list[np.ndarray]]] = {
    ".png": _from_picture,
    ".tif": _from_picture,
    ".tiff": _from_picture,
    ".npy": _from_npy,
    ".mat": _from_mat,
}
