"""Reading pictures, and cutting them to size: what the datasets share.

A picture is a float64 array (C, H, W) in [0, 1], C = 1 or 3. Importing this module imports no torch.
"""

from __future__ import annotations

import struct
import sys
import warnings
import zlib
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL
from PIL import Image as Pil
from PIL import ImageFile, ImageOps

from bench.errors import DataError
from bench.seeds import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: what ``read`` can open, in lower case
EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".npy")
#: what Pillow may take a file for, whatever it is called: its other formats start programs or have no tests here
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
#: a larger picture is refused before it is decoded; as float64 RGB this one takes 1.5 GB
MAX_PIXELS = 64_000_000
#: ITU-R BT.601, as in Pillow's and MATLAB's conversion to gray
LUMINANCE = np.array([0.299, 0.587, 0.114])

Mode = Literal["gray", "rgb", "as_is"]


# --- Reading --------------------------------------------------------------------------------------------------


def read(path: Path, mode: Mode = "as_is") -> np.ndarray:
    """The picture in a PNG, JPEG, WebP, TIFF or npy file as float64 (C, H, W) in [0, 1].

    The EXIF orientation is honoured; an alpha channel is composited on black (no light reaches the sensor where
    the picture is transparent); 16-bit files keep their 16 bits, in colour too; of several frames the first is
    taken. An npy array is (H, W), (H, W, C) or (C, H, W), uint8, uint16, or float within [0, 1].

    Raises DataError, which names the file, if it is missing, not a picture, cut short, too large, or has values
    that cannot be placed on [0, 1].
    """
    picture = _read_npy(path) if path.suffix.lower() == ".npy" else _read_coded(path)
    return as_mode(picture, mode)


def shape_of(path: Path) -> tuple[int, int]:
    """(H, W) of a picture without decoding it; raises DataError if the file is no picture or is cut short."""
    if path.suffix.lower() == ".npy":
        return _channels_first(_open_npy(path), path).shape[1:]
    try:
        with _opened(path) as im:
            if im.format == "JPEG" and not _ends_as_jpeg(path):
                raise DataError(f"{path}: the JPEG file is cut short (no end-of-image marker)")
            w, h = im.size
            # Of a PNG, Pillow would decode the pixels to look for EXIF behind them.
            exif = im.getexif() if im.format != "PNG" or "exif" in im.info else {}
            swapped = exif.get(0x0112, 1) >= 5  # orientations 5 to 8 are turned by 90 degrees
            im.verify()
    except DataError:
        raise
    except Exception as e:
        raise DataError(f"{path}: not a readable picture ({_reason(e)})") from e
    return (w, h) if swapped else (h, w)


# Each decoder has its own ways to say that a file is broken (struct.error, SyntaxError, zlib.error, TypeError ...),
# and no list of them stays complete: hence ``except Exception`` around every call of one, here and below.


def _reason(e: BaseException) -> str:
    return "no PNG, JPEG, WebP or TIFF" if isinstance(e, PIL.UnidentifiedImageError) else str(e) or type(e).__name__


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    # The file is opened here because Pillow, after verify(), leaves it open.
    with path.open("rb") as f:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pil.DecompressionBombWarning)  # our own limit is the one below
            im = Pil.open(f, formats=FORMATS)
        _check_pixels(path, im.width * im.height)
        yield im


def _check_pixels(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise DataError(f"{path}: {pixels / 1e6:.0f} megapixels; at most {MAX_PIXELS / 1e6:.0f} are read")


def _ends_as_jpeg(path: Path) -> bool:
    # Cameras append data of their own behind the marker, hence not just the last two bytes.
    with path.open("rb") as f:
        f.seek(max(0, path.stat().st_size - 65536))
        return b"\xff\xd9" in f.read()


def _read_coded(path: Path) -> np.ndarray:
    try:
        _verify(path)
        with _opened(path) as im:
            deep = _deep_tiles(im)
            if deep:
                return _composite(_decode_deep(path, deep), path)
            return _composite(_decode(im, path), path)
    except DataError as e:
        raise e if str(path) in str(e) else DataError(f"{path}: {e}") from e
    except Exception as e:
        raise DataError(f"{path}: not a readable picture ({_reason(e)})") from e


def _verify(path: Path) -> None:
    """Raise unless a PNG's checksums hold: decoding does not look at them, and a flipped bit would be a number."""
    with _opened(path) as im:
        if im.format == "PNG":
            im.verify()


def _decode(im: Pil.Image, path: Path) -> np.ndarray:
    """(C, H, W) in [0, 1], alpha still there."""
    im = ImageOps.exif_transpose(im)
    if im.mode == "1":
        im = im.convert("L")
    elif im.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        im = im.convert("RGBA" if im.mode == "PA" or "transparency" in im.info else "RGB")
    a = np.asarray(im)
    if im.mode == "I":  # some versions of Pillow read 16-bit gray into 32-bit integers
        a = a.astype(np.uint16) if a.min() >= 0 and a.max() < 65536 else a
    return _unit_range(_first_axis(a), path)


def _deep_tiles(im: ImageFile.ImageFile) -> tuple[list, list] | None:
    """The tiles of a 16-bit colour picture for decoding its upper and its lower bytes, or None for any other.

    Pillow decodes 16 bits per channel to the upper 8. Which byte is the upper one is part of a tile's raw mode
    (RGB;16B or RGB;16L), so asking for the wrong byte order yields the lower one, and both together all 16 bits.
    """
    if im.mode not in ("RGB", "RGBA") or not im.tile:
        return None
    # A tile's arguments are its raw mode, alone or followed by others.
    args = [(t.args,) if isinstance(t.args, str) else t.args or ("",) for t in im.tile]
    if not all(";16" in str(a[0]) for a in args):
        return None
    if any(str(a[0]).startswith("LA") for a in args):
        raise DataError("16-bit gray with alpha, of which only 8 bits can be read: save it as RGBA or without alpha")
    native = "L" if sys.byteorder == "little" else "B"

    def tiles(other: dict[str, str]) -> list:
        raws = [a[0][:-1] + other[native if a[0][-1] == "N" else a[0][-1]] for a in args]
        return [t._replace(args=(r, *a[1:])) for t, r, a in zip(im.tile, raws, args, strict=True)]

    return tiles({"L": "L", "B": "B"}), tiles({"L": "B", "B": "L"})


def _decode_deep(path: Path, deep: tuple[list, list]) -> np.ndarray:
    parts = []
    for tiles in deep:
        with _opened(path) as im:
            im.tile = tiles
            parts.append(_first_axis(np.asarray(ImageOps.exif_transpose(im)).astype(np.uint16)))
    return (parts[0] * 256 + parts[1]) / 65535.0


def _first_axis(a: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) to (C, H, W), while its numbers are still small."""
    return np.ascontiguousarray(np.moveaxis(a.reshape(*a.shape[:2], -1), -1, 0))


def _composite(a: np.ndarray, path: Path) -> np.ndarray:
    """(C, H, W) with C of 1 to 4 to C of 1 or 3: alpha on black."""
    if len(a) not in (1, 2, 3, 4):
        raise DataError(f"{path}: {len(a)} channels; 1 (gray) or 3 (RGB), each with or without alpha, are read")
    return a[:-1] * a[-1:] if len(a) in (2, 4) else a


def _unit_range(a: np.ndarray, path: Path) -> np.ndarray:
    if a.dtype in (np.uint8, np.uint16):
        return a / float(np.iinfo(a.dtype).max)
    if a.dtype.kind != "f":
        raise DataError(f"{path}: values of type {a.dtype}; uint8, uint16 and float within [0, 1] are read")
    low, high = (float(a.min()), float(a.max())) if a.size else (0.0, 0.0)
    if not (low >= 0 and high <= 1):  # also true for NaN
        raise DataError(f"{path}: float values from {low:g} to {high:g}; they must lie within [0, 1]")
    return a.astype(np.float64)


def _open_npy(path: Path) -> np.ndarray:
    try:
        a = np.lib.format.open_memmap(path, mode="r")  # of arrays alone: neither objects nor archives
    except Exception as e:
        raise DataError(f"{path}: not a readable npy array ({e})") from e
    if a.ndim not in (2, 3) or not a.size:
        raise DataError(f"{path}: an array of shape (H, W), (H, W, C) or (C, H, W) is needed, not {a.shape}")
    _check_pixels(path, a.size // (min(a.shape) if a.ndim == 3 else 1))
    return a


def _channels_first(a: np.ndarray, path: Path) -> np.ndarray:
    if a.ndim == 2:
        return a[None]
    if a.shape[2] in (1, 3):
        return np.moveaxis(a, -1, 0)
    if a.shape[0] in (1, 3):
        return a
    raise DataError(f"{path}: shape {a.shape} has no axis of 1 or 3 channels, first or last")


def _read_npy(path: Path) -> np.ndarray:
    a = _channels_first(np.asarray(_open_npy(path)), path)
    return _unit_range(np.ascontiguousarray(a), path)


# --- Changing -------------------------------------------------------------------------------------------------


def as_mode(picture: np.ndarray, mode: Mode) -> np.ndarray:
    """``gray``: BT.601 luminance. ``rgb``: gray pictures get three equal channels. ``as_is``: unchanged."""
    if mode == "gray" and len(picture) == 3:
        # Rounding may carry white a few 1e-16 beyond 1.
        return np.minimum(np.tensordot(LUMINANCE, picture, 1)[None], 1.0)
    if mode == "rgb" and len(picture) == 1:
        return np.repeat(picture, 3, axis=0)
    return picture


def reduce(picture: np.ndarray, k: int) -> np.ndarray:
    """The mean over blocks of k x k pixels; rows and columns that fill no block are dropped."""
    C, H, W = picture.shape
    H, W = H // k * k, W // k * k
    return picture[:, :H, :W].reshape(C, H // k, k, W // k, k).mean((2, 4))


def resize(
    picture: np.ndarray, shape: tuple[int, int], resample: Pil.Resampling = Pil.Resampling.LANCZOS
) -> np.ndarray:
    """Resized to (H, W) with Pillow's antialiased filter in float32, clipped to [0, 1] where the filter rings."""
    H, W = shape
    planes = [Pil.fromarray(c.astype(np.float32)).resize((W, H), resample) for c in picture]
    return np.clip(np.stack([np.asarray(p, np.float64) for p in planes]), 0.0, 1.0)


def window(picture: np.ndarray, centre: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """The H x W pixels whose middle, pixel (H // 2, W // 2), lies on ``centre`` (row, column)."""
    (H, W), (r, c) = shape, (n - s // 2 for n, s in zip(centre, shape, strict=True))
    if r < 0 or c < 0 or r + H > picture.shape[1] or c + W > picture.shape[2]:
        raise ValueError(f"a window of {H} x {W} about {centre} leaves a picture of {picture.shape[1:]}")
    return picture[:, r : r + H, c : c + W].copy()


# --- Naming ---------------------------------------------------------------------------------------------------


def fingerprint(source: str, *parts: object) -> str:
    """A digest of ``parts`` (plain data), of the code in the file ``source`` and here, and of the library versions.

    It changes whenever the pixels that the code makes out of ``parts`` might.
    """
    code = [sha256(Path(f).read_bytes()).hexdigest() for f in (source, __file__)]
    return digest([*parts, code, np.__version__, PIL.__version__])


def stat_of(path: Path) -> list[object]:
    """Name, size and time of a file, for ``fingerprint``; raises DataError if it is missing."""
    try:
        s = path.stat()
    except OSError as e:
        raise DataError(f"{path}: no such picture ({e.strerror})") from e
    return [str(path.absolute()), s.st_size, s.st_mtime_ns]


def pictures_in(folder: Path, extensions: tuple[str, ...] = EXTENSIONS) -> Iterator[Path]:
    """Pictures in the folder and its subfolders, sorted by relative POSIX path; hidden files are left out.

    Links to files are followed (tools that version data link each file to a store elsewhere), links to folders
    are not.
    """
    # os.walk semantics of rglob("*") on every version: it never enters linked folders.
    files = (p for p in folder.rglob("*") if p.suffix.lower() in extensions and not p.is_dir())
    visible = (p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    yield from sorted(visible, key=lambda p: p.relative_to(folder).as_posix())


def with_short_side(shape: tuple[int, int], short: int) -> tuple[int, int]:
    """(H, W) scaled so that the shorter is ``short``; in integers, so that a half is rounded the same everywhere."""
    least = min(shape)
    H, W = ((2 * n * short + least) // (2 * least) for n in shape)
    return H, W


def write_8_bit(path: Path, picture: np.ndarray) -> None:
    """Write (C, H, W), clipped to [0, 1] and rounded to 8 bits, in the format of the suffix. Raises DataError."""
    levels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    _save(path, Pil.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)))


def write_16_bit(path: Path, picture: np.ndarray) -> None:
    """Write (C, H, W) as PNG, clipped to [0, 1] and rounded to 16 bits. Raises DataError."""
    levels = np.rint(picture.clip(0, 1) * 65535).astype(np.uint16)
    if len(levels) == 1:
        _save(path, Pil.fromarray(levels[0]))
        return
    try:
        path.write_bytes(_deep_png(levels.transpose(1, 2, 0)))
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}") from error


def _deep_png(levels: np.ndarray) -> bytes:
    """(H, W, 3) of 16 bits as a PNG file (ISO/IEC 15948), which Pillow cannot write; every row unfiltered."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    H, W, _ = levels.shape
    rows = np.ascontiguousarray(levels, ">u2").view(np.uint8).reshape(H, -1)
    data = np.concatenate([np.zeros((H, 1), np.uint8), rows], 1).tobytes()
    head = struct.pack(">IIBBBBB", W, H, 16, 2, 0, 0, 0)  # colour type 2: RGB
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def write_npy(path: Path, picture: np.ndarray) -> None:
    """Write (C, H, W) as it is, as float32, not clipped."""
    np.save(path, picture.astype(np.float32), allow_pickle=False)


def _save(path: Path, image: Pil.Image) -> None:
    try:
        image.save(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written: {error}") from error
