"""The crops of photographs in installed packages: places, pixels, names."""

from itertools import combinations

import numpy as np
import pytest
from bench.datasets.photos import (  # pyright: ignore[reportMissingImports]
    CONTENT,
    LARGEST,
    SHA256,
    TEST,
    VAL,
    Crop,
    Photos,
)

from bench import DataError, SettingError
from bench.imaging.picture_files import LUMINANCE

SIZES = [(64, 32), (128, 32), (LARGEST, 0), (64, 64)]


def square(crop: Crop) -> tuple[range, range]:
    """Rows and columns, in pixels of the file, of the largest scene."""
    (r, c), k, n = crop.centre, crop.k, crop.room
    return range((r - n // 2) * k, (r + n // 2) * k), range((c - n // 2) * k, (c + n // 2) * k)


def test_there_are_at_least_twelve_test_and_eight_validation_crops_with_unique_names():
    names = [c.name for c in TEST + VAL]
    assert len(TEST) >= 12
    assert len(VAL) >= 8
    assert len(set(names)) == len(names)


def test_validation_and_test_share_no_picture():
    assert not {c.file for c in TEST} & {c.file for c in VAL}
    assert {c.file for c in TEST + VAL} == set(SHA256)


def test_no_two_scenes_share_a_pixel_at_the_largest_size():
    for a, b in combinations(TEST + VAL, 2):
        (ra, ca), (rb, cb) = square(a), square(b)
        apart = ra.stop <= rb.start or rb.stop <= ra.start or ca.stop <= cb.start or cb.stop <= ca.start
        assert a.file != b.file or apart, (a.name, b.name)


@pytest.mark.parametrize("split", ["test", "val"])
@pytest.mark.parametrize(("size", "margin"), SIZES)
def test_every_crop_fits_its_picture_at_every_size(split, size, margin):
    photos = Photos(split=split, size=size, margin=margin)
    for name in photos.ids():
        image = photos.load(name)
        assert image.scene.shape == (1, size + 2 * margin, size + 2 * margin)
        assert image.margin == margin
        assert image.scene.dtype == np.float64
        assert 0 <= image.scene.min() < image.scene.max() <= 1


def test_every_crop_has_content_in_its_smallest_field_of_view():
    for split in ("test", "val"):
        photos = Photos(split=split, size=64, margin=0)
        for name in photos.ids():
            assert photos.load(name).scene.std() >= CONTENT, name


def test_twelve_photographs_come_before_any_comes_again():
    groups = [c.group for c in TEST]
    assert len(set(groups)) == len(set(groups[:12])) == 12
    photos = Photos(size=128, margin=8, limit=12)
    assert len({photos.group_of(i) for i in photos.ids()}) == 12


def test_crops_of_one_photograph_are_one_group_and_no_group_is_in_both_splits():
    photos = Photos(size=64)
    assert photos.group_of("astronaut_face") == photos.group_of("astronaut_helmet") == "astronaut"
    val = Photos(split="val", size=64)
    assert not {photos.group_of(i) for i in photos.ids()} & {val.group_of(i) for i in val.ids()}


def test_photographs_without_room_for_a_scene_are_left_out_of_it():
    assert set(Photos(size=64).ids()) - set(Photos(size=128).ids()) == {"page_lines", "text_formula"}
    with pytest.raises(DataError, match="text_formula has room for a scene of 172 pixels, not of 192"):
        Photos(size=128).load("text_formula")


def test_a_smaller_size_shows_the_middle_of_a_larger_one():
    for name in Photos(limit=4).ids():
        large, small = (Photos(size=n).load(name).scene for n in (128, 64))
        assert np.array_equal(large[:, 32:-32, 32:-32], small)


def test_gray_is_the_luminance_of_the_colours():
    for name in ("astronaut_face", "grass"):
        rgb, gray = (Photos(mode=mode).load(name).scene for mode in ("rgb", "gray"))
        assert rgb.shape[0] == 3
        assert np.allclose(np.tensordot(LUMINANCE, rgb, 1), gray[0], atol=1e-12)


def test_the_same_name_gives_the_same_pixels_and_nobody_can_change_them():
    photos = Photos(limit=2)
    first = photos.load("grass").scene
    expected = first.copy()
    first[:] = 0
    assert np.array_equal(photos.load("grass").scene, expected)


def test_limit_takes_the_first():
    assert Photos(limit=4).ids() == Photos().ids()[:4] == [c.name for c in TEST[:4]]


def test_fingerprints_tell_pictures_and_settings_apart():
    prints = [
        Photos(size=n, mode=m).fingerprint(name)
        for n in (64, 128)
        for m in ("gray", "rgb")
        for name in Photos().ids()
    ]
    assert len(set(prints)) == len(prints)
    assert Photos(limit=1).fingerprint("grass") == Photos().fingerprint("grass")


def test_too_large_a_size_names_the_largest():
    with pytest.raises(DataError, match=r"needs 320 pixels.*at most 192"):
        Photos(size=256)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'astronaut_face'"):
        Photos().load("astronaut_fase")
    with pytest.raises(SettingError, match="test, val"):
        Photos(split="tst")  # pyright: ignore[reportArgumentType]


def test_a_picture_that_is_not_the_expected_one_is_refused(tmp_path, monkeypatch):
    import bench.datasets.photos as module  # pyright: ignore[reportMissingImports]

    (tmp_path / "data").mkdir()
    (tmp_path / "data/grass.png").write_bytes(b"something else")
    module._picture.cache_clear()
    monkeypatch.setattr(module, "_folder", lambda package: tmp_path)
    with pytest.raises(DataError, match=r"grass\.png is not the picture"):
        Photos().load("grass")
    with pytest.raises(DataError, match=r"brick\.png is missing"):
        Photos().load("brick")


@pytest.mark.parametrize(("split", "photographs", "crops"), [("test", 4, 9), ("val", 5, 7)])
def test_coloured_leaves_out_the_pictures_whose_channels_are_equal(split, photographs, crops):
    whole, coloured = (Photos(split=split, size=64, mode="rgb", coloured=c) for c in (False, True))

    def has_colours(name: str) -> bool:
        scene = whole.load(name).scene
        return not np.array_equal(scene[0], scene[2])

    assert coloured.ids() == [name for name in whole.ids() if has_colours(name)]
    assert len(coloured.ids()) == crops
    assert len({coloured.group_of(name) for name in coloured.ids()}) == photographs
