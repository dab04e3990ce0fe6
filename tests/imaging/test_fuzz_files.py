"""Pictures, PSFs and tables of results whose bytes are not what their suffix promises."""

from __future__ import annotations

import io
import math
import random
import struct
import tempfile
import tracemalloc
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.datasets.folder import Folder  # pyright: ignore[reportMissingImports]
from bench.operators.file import File  # pyright: ignore[reportMissingImports]
from hypothesis import strategies as st
from PIL import Image as Pil

from bench.errors import BenchError, DataError, PsfError, ResultError
from bench.imaging import picture_files as pictures
from bench.results import parquet as results
from tests import fake_run
from tests.fuzz import damaged, fuzzed

SEEDS = st.integers(0, 2**64)


@cache
def whole(kind: str) -> bytes:
    """A sound file of a kind, 12 x 14 pixels."""
    pixels = np.random.default_rng(5).integers(0, 256, (12, 14, 3), dtype=np.uint8)
    out = io.BytesIO()
    match kind:
        case "npy":
            np.save(out, pixels, allow_pickle=False)
        case "gray.npy":
            np.save(out, pixels[..., 0] / 255, allow_pickle=False)
        case "deep.png":
            Pil.fromarray(pixels[..., 0].astype(np.uint16) * 200).save(out, "png")
        case "palette.png":
            Pil.fromarray(pixels).quantize(8).save(out, "png")
        case "lzw.tif":
            Pil.fromarray(pixels).save(out, "tiff", compression="tiff_lzw")
        case "mat":
            from scipy.io import savemat

            savemat(out, {"k": pixels[..., 0], "s": np.ones((3, 3, 2))}, do_compression=True)
        case "hdf.mat":
            import h5py

            with h5py.File(out, "w") as file:
                file["k"] = pixels[..., 0] / 255
        case _:
            Pil.fromarray(pixels).save(out, {"jpg": "jpeg", "tif": "tiff"}.get(kind, kind))
    return out.getvalue()


PICTURES = ("png", "deep.png", "palette.png", "jpg", "webp", "tif", "lzw.tif", "npy", "gray.npy")
PSFS = ("png", "deep.png", "tif", "gray.npy", "npy", "mat", "hdf.mat")


def written(folder: str, kind: str, data: bytes) -> Path:
    path = Path(folder, f"a.{kind.rpartition('.')[2]}")
    path.write_bytes(data)
    return path


def read(path: Path) -> np.ndarray | None:
    """The picture, or None if it is refused by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's doubts about metadata
        try:
            return pictures.read(path)
        except DataError as error:
            message = str(error)
    assert str(path) in message
    return None


@fuzzed(80, kind=st.sampled_from(PICTURES), seed=SEEDS)
def test_a_damaged_picture_is_a_picture_or_an_error_that_names_it(kind: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, kind, damaged(whole(kind), seed))
        picture = read(path)
        if picture is not None:
            assert picture.dtype == np.float64
            assert picture.ndim == 3
            assert len(picture) in (1, 3)
            assert picture.min() >= 0
            assert picture.max() <= 1


@fuzzed(50, kind=st.sampled_from(["png", "deep.png", "palette.png"]), seed=SEEDS)
def test_a_png_whose_pixels_changed_is_never_read_as_if_nothing_had_happened(kind: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected = pictures.read(written(folder, kind, whole(kind)))
        picture = read(written(folder, kind, damaged(whole(kind), seed)))
        assert picture is None or np.array_equal(picture, expected)


@fuzzed(30, kind=st.sampled_from(PICTURES), seed=SEEDS)
def test_a_folder_with_a_damaged_picture_lists_the_sound_ones_or_says_which_is_not(kind: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bad = written(folder, kind, damaged(whole(kind), seed))
        Path(folder, "good.png").write_bytes(whole("png"))
        assert "good.png" in Folder(path=folder, margin=1, on_bad="skip").ids()
        refused = None
        try:
            assert len(Folder(path=folder, margin=1).ids()) == 2
        except DataError as error:
            refused = str(error)
        assert refused is None or str(bad) in refused


@fuzzed(60, kind=st.sampled_from(PSFS), seed=SEEDS, key=st.sampled_from([None, "k", "x"]))
def test_a_damaged_psf_file_is_a_psf_or_a_psf_error(kind: str, seed: int, key: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = written(folder, kind, damaged(whole(kind), seed))
        try:
            psf = File(path=str(path), key=key).psf(np.random.default_rng(0)).psf
        except PsfError:
            return
        assert [n % 2 for n in psf.shape] == [1, 1]
        assert psf.min() >= 0
        assert math.isclose(psf.sum(), 1, rel_tol=1e-9)


# --- bombs ----------------------------------------------------------------------------------------------------


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def npy(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    out = io.BytesIO()
    header: dict[str, Any] = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue()


def sparse(path: Path, data: bytes, size: int) -> Path:
    """A file of that size, nothing of which is on the disk but its beginning."""
    with path.open("wb") as f:
        f.write(data)
        f.truncate(len(data) + size)
    return path


@pytest.mark.parametrize("side", [8001, 10_000, 13_000, 30_000, 2**31 - 1])
def test_a_picture_of_more_than_64_megapixels_is_refused_before_it_is_decoded(side: int, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(side, side, zlib.compress(bytes(10**6))))
    tracemalloc.start()
    for reader in (pictures.read, pictures.shape_of):
        with pytest.raises(DataError, match=r"megapixels|exceeds limit|not a readable picture"):
            reader(tmp_path / "a.png")
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_an_array_of_more_than_64_megapixels_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.npy", npy((10_000, 10_000)), 10**8)
    tracemalloc.start()
    with pytest.raises(DataError, match="100 megapixels; at most 64 are read"):
        pictures.read(path)
    with pytest.raises(PsfError, match="at most 64,000,000 are read"):
        File(path=str(path)).psf(np.random.default_rng(0))
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_a_compressed_kernel_file_that_unfolds_is_refused_before_it_does(tmp_path: Path) -> None:
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"k": np.zeros((9000, 9000), np.uint8)}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 200_000
    with pytest.raises(PsfError, match="9000 x 9000 values; at most 64,000,000"):
        File(path=str(tmp_path / "a.mat")).psf(np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(2**40, 2**40), (-1, 5), (0, 3), (2**63, 1), (1,), (5, 5, 5, 5), ()])
@pytest.mark.parametrize("kind", ["|u1", "<f8", "|O", "<c16", "|V8", "<U4"])
def test_an_array_with_an_odd_header_is_refused(shape: tuple[int, ...], kind: str, tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.npy", npy(shape, kind), 4096)
    with pytest.raises(DataError):
        pictures.read(path)
    with pytest.raises(PsfError):
        File(path=str(path)).psf(np.random.default_rng(0))


def test_an_array_of_objects_or_an_archive_is_never_unpickled(tmp_path: Path) -> None:
    pickled = npy((2, 2), "|O") + b"cbuiltins\nexit\n(tR."  # a pickle that would end this process
    (tmp_path / "a.npy").write_bytes(pickled)
    (tmp_path / "b.npy").write_bytes(b"cbuiltins\nexit\n(tR.")
    np.savez(tmp_path / "c.npz", a=np.ones((3, 3)))
    (tmp_path / "c.npz").rename(tmp_path / "c.npy")
    for name in "abc":
        with pytest.raises(BenchError):
            pictures.read(tmp_path / f"{name}.npy")
        with pytest.raises(BenchError):
            File(path=str(tmp_path / f"{name}.npy")).psf(np.random.default_rng(0))


@pytest.mark.parametrize("path", ["a\0b.png", "x" * 5000 + ".png", "/dev/null", "~nobody-at-all/a.png"])
def test_a_path_that_is_none_is_a_clear_error(path: str) -> None:
    with pytest.raises(PsfError):
        File(path=path).psf(np.random.default_rng(0))
    with pytest.raises(DataError):
        Folder(path=path).ids()


def test_a_file_name_that_is_no_text_is_a_clear_error(tmp_path: Path) -> None:
    """Of a folder from another system: such a name fits into no key and no table."""
    try:
        (tmp_path / "\udcff.png").write_bytes(whole("png"))
    except (OSError, ValueError):
        pytest.skip("this file system takes text alone")
    with pytest.raises(DataError, match=r"not UTF-8"):
        Folder(path=str(tmp_path), margin=1).ids()


# --- results --------------------------------------------------------------------------------------------------


@cache
def table() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return (fake_run.write(Path(folder), size=32, images=1) / "results.parquet").read_bytes()


@fuzzed(40, seed=SEEDS)
def test_damaged_results_are_the_rows_that_were_written_or_a_result_error(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.parquet")
        path.write_bytes(damaged(table(), seed))
        try:
            rows = results.read(path)
        except ResultError:
            return
        path.write_bytes(table())
        assert rows == results.read(path)


@fuzzed(30, seed=SEEDS)
def test_results_with_other_columns_are_rows_or_a_result_error(seed: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rng, rows = random.Random(seed), parquet.read_table(io.BytesIO(table()))
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(rows.column_names)
        odd: list[Any] = rng.choice([[None], ["x"], [1], [1.5], [b"\xff"], [[1]], [{"a": 1}], [2**40]])
        column = pa.array(odd * len(rows))
        at = rows.column_names.index(name)
        rows = rng.choice(
            [rows.remove_column(at), rows.set_column(at, name, column), rows.append_column(name, column)]
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.parquet")
        parquet.write_table(rows, path)
        try:
            rows = results.read(path)
        except ResultError:
            return
        assert all(isinstance(r["solver"], str) and isinstance(r["psf_index"], int) for r in rows)
