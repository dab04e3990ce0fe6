"""Pictures from a folder: real files in every format, written here."""

import os
import struct
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.datasets.folder import Folder  # pyright: ignore[reportMissingImports]
from PIL import Image as Pil
from PIL import features

from bench import DataError, SettingError
from bench.imaging import picture_files as pictures
from bench.imaging.blur import Blur
from bench.imaging.picture_files import read

RNG = np.random.default_rng(7)
GRAY = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
RGB = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
DEEP_RGB = RNG.integers(0, 65536, (40, 50, 3), dtype=np.uint16)


def png_of(a: np.ndarray) -> bytes:
    """A 16-bit PNG (H, W, C), which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour = {1: 0, 2: 4, 3: 2, 4: 6}[a.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in a)
    head = struct.pack(">IIBBBBB", a.shape[1], a.shape[0], 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff_of(a: np.ndarray, order: str) -> bytes:
    """An uncompressed 16-bit RGB TIFF in either byte order, which Pillow cannot write."""
    h, w, _ = a.shape
    data = a.astype(order + "u2").tobytes()
    tags = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, h), (279, 4, 1, len(data))]
    directory = struct.pack(order + "H", len(tags))
    for tag, kind, n, value in tags:
        short = kind == 3 and n == 1
        directory += struct.pack(order + ("HHIHxx" if short else "HHII"), tag, kind, n, value)
    bits = struct.pack(order + "3H", 16, 16, 16)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data) + len(bits))
    return head + data + bits + directory + b"\0\0\0\0"


def folder_of(path: Path, names: str, side: int = 40) -> Path:
    for i, name in enumerate(names.split()):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Pil.fromarray(np.random.default_rng(i).integers(0, 256, (side, side), dtype=np.uint8)).save(path / name)
    return path


def whole(path: Path, **settings: object) -> Folder:
    return Folder(path=str(path), **{"margin": 0, "mode": "as_is", **settings})  # pyright: ignore[reportArgumentType]


# --- Formats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "tif", "tiff", "PNG"])
@pytest.mark.parametrize(("array", "top"), [(GRAY, 255), (RGB, 255), (DEEP, 65535)])
def test_lossless_files_give_back_their_exact_values(tmp_path, kind, array, top):
    Pil.fromarray(array).save(tmp_path / f"a.{kind}")
    scene = whole(tmp_path).load(f"a.{kind}").scene
    assert np.array_equal(scene, np.moveaxis(np.atleast_3d(array), -1, 0) / top)


def test_sixteen_bit_colour_keeps_all_its_bits(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(DEEP_RGB))
    (tmp_path / "b.tif").write_bytes(tiff_of(DEEP_RGB, "<"))
    (tmp_path / "c.tif").write_bytes(tiff_of(DEEP_RGB, ">"))
    for name in whole(tmp_path).ids():
        assert np.array_equal(whole(tmp_path).load(name).scene, np.moveaxis(DEEP_RGB, -1, 0) / 65535), name


def test_sixteen_bit_alpha_is_composited_on_black(tmp_path):
    rgba = np.concatenate([DEEP_RGB, DEEP[..., None]], 2)
    (tmp_path / "a.png").write_bytes(png_of(rgba))
    expected = np.moveaxis(DEEP_RGB / 65535 * (DEEP[..., None] / 65535), -1, 0)
    assert np.allclose(whole(tmp_path).load("a.png").scene, expected, atol=1e-12)


def test_eight_bit_alpha_is_composited_on_black(tmp_path):
    Pil.fromarray(np.dstack([RGB, GRAY])).save(tmp_path / "a.png")
    expected = np.moveaxis(RGB / 255 * (GRAY[..., None] / 255), -1, 0)
    assert np.allclose(whole(tmp_path).load("a.png").scene, expected, atol=1e-12)


def test_palette_and_one_bit_pictures_are_read_as_what_they_show(tmp_path):
    few = (GRAY > 127).astype(np.uint8) * 255
    Pil.fromarray(few).convert("1").save(tmp_path / "a.png")
    Pil.fromarray(np.dstack([few] * 3)).quantize(4).save(tmp_path / "b.png")
    assert np.array_equal(whole(tmp_path).load("a.png").scene[0], few / 255)
    assert np.array_equal(whole(tmp_path).load("b.png").scene, np.stack([few / 255] * 3))


@pytest.mark.parametrize("kind", ["jpg", "jpeg", "webp"])
def test_lossy_files_come_close(tmp_path, kind):
    if kind == "webp" and not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    ramp = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    Pil.fromarray(np.dstack([ramp] * 3)).save(tmp_path / f"a.{kind}", quality=95)
    scene = whole(tmp_path).load(whole(tmp_path).ids()[0]).scene
    assert np.abs(scene - ramp / 255).max() < 0.03


@pytest.mark.parametrize("array", [GRAY, DEEP, RGB, GRAY / 255, (DEEP / 65535).astype(np.float32)])
def test_npy_arrays_are_read_channels_first_or_last(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", np.moveaxis(np.atleast_3d(array), -1, 0))
    top = {"u1": 255, "u2": 65535}.get(array.dtype.str[1:], 1)
    for name in ("a.npy", "b.npy"):
        scene = whole(tmp_path).load(name).scene
        assert scene.dtype == np.float64
        assert np.allclose(scene, np.moveaxis(np.atleast_3d(array), -1, 0) / top, atol=1e-7)


def test_the_exif_orientation_is_honoured(tmp_path):
    exif = Pil.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Pil.fromarray(GRAY).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(whole(tmp_path).load("a.png").scene[0], np.rot90(GRAY, -1) / 255)
    assert pictures.shape_of(tmp_path / "a.png") == (50, 40)
    Folder(path=str(tmp_path), size=(50, 40), margin=0).load(
        Folder(path=str(tmp_path), size=(50, 40), margin=0).ids()[0]
    )


# --- Crop, resize, mode ---------------------------------------------------------------------------------------


def test_the_field_of_view_lies_in_the_middle_of_the_scene(tmp_path):
    Pil.fromarray(GRAY).save(tmp_path / "a.png")
    image = Folder(path=str(tmp_path), size=(20, 24), margin=5).load("a.png")
    assert image.scene.shape == (1, 30, 34)
    assert np.array_equal(image.scene[0], GRAY[5:35, 8:42] / 255)
    assert Folder(path=str(tmp_path), margin=5).load("a.png").scene.shape == (1, 40, 50)


def test_a_reflected_margin_makes_a_valid_blur_one_with_reflected_boundary(tmp_path):
    """As DPS blurs pictures that show nothing outside: a convolution after nn.ReflectionPad2d."""
    Pil.fromarray(RGB).save(tmp_path / "a.png")
    image = whole(tmp_path, margin=3, outside="reflect", mode="rgb").load("a.png")
    field = torch.from_numpy(image.scene[:, 3:-3, 3:-3])
    assert torch.equal(field, torch.from_numpy(RGB.transpose(2, 0, 1) / 255.0))
    psf = torch.from_numpy(np.random.default_rng(0).random((7, 5)))
    kernel = psf.flip(0, 1).expand(3, 1, 7, 5)
    theirs = torch.nn.functional.conv2d(torch.nn.ReflectionPad2d((2, 2, 3, 3))(field), kernel, groups=3)
    ours = Blur(psf[None, None], (40, 50), "valid").A(torch.from_numpy(image.scene)[None, ..., 1:-1])
    torch.testing.assert_close(ours[0], theirs, rtol=0, atol=1e-12)


def test_a_reflected_margin_is_shorter_than_the_picture(tmp_path):
    folder_of(tmp_path, "a.png", side=8)
    assert whole(tmp_path, margin=7, outside="reflect").load("a.png").scene.shape == (1, 22, 22)
    with pytest.raises(DataError, match=r"9 x 9 \(margin 8\) is needed"):
        whole(tmp_path, margin=8, outside="reflect").ids()
    with pytest.raises(SettingError, match="cannot be mirrored"):
        whole(tmp_path, margin=8, size=8, outside="reflect")


def test_random_crops_depend_on_name_and_seed_alone(tmp_path):
    folder_of(tmp_path, "a.png b.png c.png d.png")
    crops = [
        Folder(path=str(tmp_path), size=8, margin=1, crop="random", limit=n).load("b.png").scene for n in (None, 2)
    ]
    assert np.array_equal(*crops)
    seeds = {
        Folder(path=str(tmp_path), size=8, margin=1, crop="random", seed=s).load("b.png").scene.tobytes()
        for s in range(9)
    }
    assert len(seeds) > 5
    picture = whole(tmp_path).load("b.png").scene
    windows = np.lib.stride_tricks.sliding_window_view(picture[0], (10, 10))
    assert (windows == crops[0][0]).all((-1, -2)).sum() == 1


def test_resizing_sets_the_short_side_keeps_the_mean_and_suppresses_what_would_alias(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (120, 80))
    Pil.fromarray(stripes).save(tmp_path / "a.png")
    scene = whole(tmp_path, resize=30).load("a.png").scene
    assert scene.shape == (1, 30, 40)
    assert scene.mean() == pytest.approx(0.5, abs=1e-3)
    assert scene.std() < 0.02


def test_modes_change_channels(tmp_path):
    Pil.fromarray(RGB).save(tmp_path / "a.png")
    Pil.fromarray(GRAY).save(tmp_path / "b.png")
    shapes = {
        m: [whole(tmp_path, mode=m).load(i).scene.shape[0] for i in ("a.png", "b.png")]
        for m in ("gray", "rgb", "as_is")
    }
    assert shapes == {"gray": [1, 1], "rgb": [3, 3], "as_is": [3, 1]}
    luminance = RGB / 255 @ np.array([0.299, 0.587, 0.114])
    assert np.allclose(whole(tmp_path, mode="gray").load("a.png").scene[0], luminance, atol=1e-12)


# --- Which pictures -------------------------------------------------------------------------------------------


def test_ids_are_sorted_relative_paths_of_pictures_only(tmp_path):
    folder_of(tmp_path, "b.png a/z.png a/y.tif C.jpg .hidden/x.png .x.png")
    (tmp_path / "notes.txt").write_text("no picture")
    assert whole(tmp_path).ids() == ["C.jpg", "a/y.tif", "a/z.png", "b.png"]
    assert whole(tmp_path, limit=2).ids() == ["C.jpg", "a/y.tif"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path):
    folder_of(tmp_path / "store", "a.png b.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").symlink_to(tmp_path / "store" / "a.png")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "store")
    assert whole(tmp_path / "data").ids() == ["a.png"]


def test_hashed_splits_share_nothing_miss_nothing_and_do_not_move_when_pictures_are_added(tmp_path):
    folder_of(tmp_path, " ".join(f"{i:03d}.png" for i in range(60)), side=4)
    before = {s: whole(tmp_path, split=s).ids() for s in ("train", "val", "test")}
    assert sorted(chain(*before.values())) == whole(tmp_path).ids()
    assert len(before["train"]) > len(before["val"]) + len(before["test"])
    folder_of(tmp_path, "new.png", side=4)
    after = {s: whole(tmp_path, split=s).ids() for s in ("train", "val", "test")}
    assert all(set(before[s]) <= set(after[s]) for s in before)
    with pytest.raises(DataError, match="none of the 61 pictures"):
        whole(tmp_path, split="val", fractions=(1.0, 0.0, 0.0)).ids()


def test_a_list_decides_split_and_order(tmp_path):
    folder_of(tmp_path / "p", "a.png b.png c.png")
    (tmp_path / "val.txt").write_text("# chosen by hand\nc.png\n\na.png\n")
    chosen = whole(tmp_path / "p", split="val", split_file=str(tmp_path / "{split}.txt"))
    assert chosen.ids() == ["c.png", "a.png"]
    (tmp_path / "val.txt").write_text("c.png\nmissing.png\n")
    with pytest.raises(DataError, match=r"missing\.png"):
        chosen.ids()
    with pytest.raises(DataError, match=r"test\.txt"):
        whole(tmp_path / "p", split="test", split_file=str(tmp_path / "{split}.txt")).ids()


# --- What goes wrong ------------------------------------------------------------------------------------------


def cut_short(path: Path, kind: str) -> None:
    file = path / f"cut.{kind}"
    if kind == "npy":
        np.save(file, RGB)
    else:
        Pil.fromarray(RGB).save(file)
    file.write_bytes(file.read_bytes()[:-200])


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "npy"])
def test_a_file_that_is_cut_short_is_named_before_anything_is_decoded(tmp_path, kind):
    cut_short(tmp_path, kind)
    with pytest.raises(DataError, match=rf"cut\.{kind}"):
        whole(tmp_path).ids()


def test_one_error_lists_the_bad_files_and_counts_them(tmp_path):
    folder_of(tmp_path, "a.png b.png")
    for i in range(12):
        (tmp_path / f"bad{i:02d}.png").write_bytes(b"no picture at all")
    folder_of(tmp_path, "tiny.png", side=6)
    with pytest.raises(DataError) as error:
        Folder(path=str(tmp_path), size=16, margin=2).ids()
    text = str(error.value)
    assert "13 of 15 pictures" in text
    assert "bad00.png" in text
    assert "bad09.png" in text
    assert "bad10.png" not in text
    assert "and 3 more" in text


def test_bad_files_are_skipped_with_a_count_when_asked(tmp_path):
    folder_of(tmp_path, "b.png c.png d.png")
    (tmp_path / "a.png").write_bytes(b"")
    folder_of(tmp_path, "tiny.png", side=6)
    with pytest.warns(UserWarning, match=r"2 unusable pictures(.|\n)*a\.png(.|\n)*tiny\.png: too small: 6 x 6"):
        assert Folder(path=str(tmp_path), size=16, margin=2, on_bad="skip").ids() == ["b.png", "c.png", "d.png"]
    with pytest.warns(UserWarning, match="1 unusable"):
        assert Folder(path=str(tmp_path), size=16, margin=2, on_bad="skip", limit=2).ids() == ["b.png", "c.png"]


def test_a_folder_without_one_good_file_is_an_error_even_when_skipping(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 1"):
        Folder(path=str(tmp_path), on_bad="skip").ids()


def test_a_missing_or_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is not a folder.*\.png.*\.npy"):
        Folder(path=str(tmp_path / "nowhere")).ids()
    with pytest.raises(DataError, match=r"no pictures \(\.png"):
        Folder(path=str(tmp_path)).ids()


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.full((40, 40), 1.5), r"from 1\.5 to 1\.5; they must lie within \[0, 1\]"),
        (np.full((40, 40), np.nan), r"must lie within"),
        (np.zeros((40, 40), np.int64), "type int64"),
        (np.zeros((40, 40, 5)), "no axis of 1 or 3 channels"),
        (np.zeros(40), r"shape \(H, W\)"),
        (np.array([{}], dtype=object), "npy"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_by_name(tmp_path, array, text):
    np.save(tmp_path / "odd.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=text) as error:
        read(tmp_path / "odd.npy")
    assert "odd.npy" in str(error.value)


@pytest.mark.parametrize("kind", ["EPS", "BMP", "PPM", "GIF", "ICO"])
def test_only_the_formats_that_are_documented_are_read_whatever_a_file_is_called(tmp_path, kind):
    """Pillow starts Ghostscript for an EPS."""
    Pil.fromarray(RGB).save(tmp_path / "a.png", format=kind)
    for look in (read, pictures.shape_of):
        with pytest.raises(DataError, match=r"a\.png: not a readable picture \(no PNG, JPEG, WebP or TIFF\)"):
            look(tmp_path / "a.png")


def test_sixteen_bit_gray_with_alpha_is_refused_in_words_of_ours(tmp_path):
    rows = b"".join(b"\0" + row.tobytes() for row in np.full((2, 3, 2), 40000, ">u2"))
    head, data = struct.pack(">IIBBBBB", 3, 2, 16, 4, 0, 0, 0), zlib.compress(rows)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    body = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    with pytest.raises(DataError, match=r"a\.png: 16-bit gray with alpha.*save it as RGBA or without alpha"):
        read(tmp_path / "a.png")


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Pil.fromarray(GRAY).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", RGB)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1999)
    with pytest.raises(DataError, match=r"2 of 2(.|\n)*a\.png: 0 megapixels(.|\n)*b\.npy"):
        whole(tmp_path).ids()
    head = png_of(np.zeros((1, 1, 1), np.uint16))
    bomb = head[:16] + struct.pack(">II", 60000, 60000) + head[24:]
    bomb = bomb[:29] + struct.pack(">I", zlib.crc32(bomb[12:29])) + bomb[33:]
    (tmp_path / "c.png").write_bytes(bomb)
    with pytest.raises(DataError, match=r"c\.png"):
        read(tmp_path / "c.png")


def test_a_fingerprint_changes_when_the_file_or_a_setting_does(tmp_path):
    folder_of(tmp_path, "a.png b.png")
    one = whole(tmp_path)
    first = one.fingerprint("a.png")
    assert whole(tmp_path, limit=1).fingerprint("a.png") == first
    assert whole(tmp_path, resize=20).fingerprint("a.png") != first
    assert one.fingerprint("b.png") != first
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert one.fingerprint("a.png") != first
    with pytest.raises(DataError, match=r"z\.png: no such picture"):
        one.fingerprint("z.png")
    with pytest.raises(DataError, match=r"z\.png: no such picture"):
        one.load("z.png")


def test_wrong_settings_are_refused():
    for settings, text in (
        ({"crop": "center"}, "Did you mean 'centre'"),
        ({"size": 0}, "at least 1"),
        ({"margin": -1}, "margin at least 0"),
        ({"fractions": (0.5, 0.1, 0.1)}, "shares of train, val and test"),
        ({"split": "tests"}, "Did you mean 'test'"),
    ):
        with pytest.raises(SettingError, match=text):
            Folder(path="x", **settings)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("pattern", "expected"), [(None, [None] * 2), ("[^/]+", ["p1", "p2"]), (r"/(s\d)", ["s7", "s8"])]
)
def test_a_pattern_names_the_source_of_an_image(tmp_path: Path, pattern: str | None, expected: list[str | None]):
    for name in ("p1/s7_1.png", "p2/s8_1.png"):
        (tmp_path / name).parent.mkdir()
        Pil.fromarray(GRAY).save(tmp_path / name)
    folder = Folder(str(tmp_path), margin=0, group=pattern)
    assert [folder.group_of(i) for i in folder.ids()] == expected


def test_a_pattern_that_is_none_or_matches_nothing_is_an_error(tmp_path: Path):
    with pytest.raises(SettingError, match="no regular expression"):
        Folder(str(tmp_path), group="(")
    with pytest.raises(DataError, match=r"matches nothing in the id 'a\.png'"):
        Folder(str(tmp_path), group="patient").group_of("a.png")
