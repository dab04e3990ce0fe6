"""The layout and conversion of the Mayo Clinic slices, on small files written here."""

import os
from pathlib import Path

import numpy as np
import pytest
from bench.datasets.mayo_ct import MayoCt  # pyright: ignore[reportMissingImports]
from PIL import Image as Pil

from bench import DataError, SettingError


def slices(path: Path, names: list[str], shape: tuple[int, ...] = (40, 40)) -> None:
    for i, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Pil.fromarray(np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8)).save(path / name)


@pytest.fixture
def mayo(tmp_path) -> Path:
    """Five patients to train with, four slices each; two to test with."""
    slices(tmp_path / "raw_data/train", [f"C{p:03d}_{s:04d}.png" for p in range(5) for s in range(4)])
    slices(tmp_path / "raw_data/test", [f"C{p:03d}_{s:04d}.png" for p in (7, 8) for s in range(3)])
    return tmp_path


def ids(path: Path, split: str, **settings: object) -> list[str]:
    return MayoCt(path=str(path), split=split, **settings).ids()


def test_val_holds_whole_patients_of_the_train_folder_and_train_the_others(mayo):
    train, val, test = (ids(mayo, s) for s in ("train", "val", "test"))
    assert val == [f"C004_{s:04d}.png" for s in range(4)]
    assert train == [f"C{p:03d}_{s:04d}.png" for p in range(4) for s in range(4)]
    assert len(test) == 6
    assert {n[:4] for n in ids(mayo, "val", val_fraction=0.3)} == {"C003", "C004"}
    assert {n[:4] for n in ids(mayo, "train", val_fraction=0.99)} == {"C000"}
    assert ids(mayo, "test", limit=2) == test[:2]


def test_subfolders_are_patients(tmp_path):
    slices(tmp_path / "train", [f"{p}/{s}.png" for p in ("L067", "L096") for s in (1, 2, 10)])
    assert ids(tmp_path, "val") == ["L096/1.png", "L096/2.png", "L096/10.png"]
    assert ids(tmp_path, "train") == ["L067/1.png", "L067/2.png", "L067/10.png"]


def test_without_patients_val_is_the_last_block_of_slices(tmp_path):
    slices(tmp_path / "raw_data/train", [f"{s}.png" for s in range(20)])
    assert ids(tmp_path, "val") == ["18.png", "19.png"]
    assert ids(tmp_path, "train") == [f"{s}.png" for s in range(18)]


@pytest.mark.parametrize("shape", [(512, 512), (100, 140), (64, 64, 3)])
def test_the_conversion_is_pillows_gray_then_bicubic_to_the_last_bit(tmp_path, shape):
    slices(tmp_path / "test", ["a.png"], shape)
    scene = MayoCt(path=str(tmp_path)).load("a.png").scene
    with Pil.open(tmp_path / "test/a.png") as im:
        expected = np.asarray(im.convert("L").resize((128, 128), Pil.Resampling.BICUBIC)) / 255
    assert scene.shape == (1, 128, 128)
    assert scene.dtype == np.float64
    assert np.array_equal(scene[0], expected)


def test_sixteen_bit_slices_agree_with_eight_bit_ones(tmp_path):
    a = np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)
    (tmp_path / "test").mkdir()
    Pil.fromarray(a).save(tmp_path / "test/a.png")
    Pil.fromarray(a.astype(np.uint16) * 257).save(tmp_path / "test/b.png")
    eight, sixteen = (MayoCt(path=str(tmp_path), size=32).load(n).scene for n in ("a.png", "b.png"))
    assert np.abs(eight - sixteen).max() < 1.01 / 255


def test_a_margin_is_added_around_the_field_of_view(mayo):
    image = MayoCt(path=str(mayo), size=24, margin=4).load("C007_0001.png")
    assert image.scene.shape == (1, 32, 32)
    assert image.margin == 4


def test_missing_folders_say_where_the_data_are_and_how_they_must_lie(tmp_path):
    with pytest.raises(DataError, match=r"test is a folder\.(.|\n)*raw_data/train/(.|\n)*LDCT-and-Projection-data"):
        ids(tmp_path, "test")
    (tmp_path / "raw_data/train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no PNG files in (.|\n)*Cancer Imaging Archive"):
        ids(tmp_path, "val")


def test_a_broken_or_missing_slice_is_named(mayo):
    file = mayo / "raw_data/test/C007_0000.png"
    file.write_bytes(file.read_bytes()[:300])
    dataset = MayoCt(path=str(mayo))
    with pytest.raises(DataError, match=r"C007_0000\.png"):
        dataset.load("C007_0000.png")
    with pytest.raises(DataError, match=r"C009_0000\.png: no such"):
        dataset.load("C009_0000.png")


def test_a_fingerprint_changes_when_the_file_or_the_size_does(mayo):
    one = MayoCt(path=str(mayo))
    first = one.fingerprint("C007_0000.png")
    assert MayoCt(path=str(mayo), size=64).fingerprint("C007_0000.png") != first
    os.utime(mayo / "raw_data/test/C007_0000.png", ns=(1, 1))
    assert one.fingerprint("C007_0000.png") != first


def test_wrong_settings_are_refused():
    for settings in ({"split": "validation"}, {"size": 0}, {"val_fraction": 1.0}, {"limit": 0}):
        with pytest.raises(SettingError, match="mayo_ct"):
            MayoCt(path="x", **settings)
