"""OrganAMNIST as MedMNIST stores it, on small files written here."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.datasets.organamnist import Organamnist  # pyright: ignore[reportMissingImports]

from bench import DataError, SettingError
from bench.testing import check_dataset

COUNTS = {"train": 5, "val": 3, "test": 4}


def content(side: int = 28) -> dict[str, Any]:
    """The arrays of medmnist's file: images and labels of three splits."""
    rng = np.random.default_rng(side)
    images = {f"{s}_images": rng.integers(0, 256, (n, side, side), dtype=np.uint8) for s, n in COUNTS.items()}
    return images | {f"{s}_labels": rng.integers(0, 11, (n, 1), dtype=np.uint8) for s, n in COUNTS.items()}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "organamnist.npz", **content())
    np.savez_compressed(tmp_path / "organamnist_64.npz", **content(64))
    return tmp_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without the data."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("split", COUNTS)
def test_an_image_is_medmnists_divided_by_255(copy: Path, split: Any) -> None:
    data = Organamnist(path=str(copy), split=split)
    ids = data.ids()
    assert ids == [f"{split}_{i:05d}" for i in range(COUNTS[split])]
    for i, name in enumerate(ids):
        assert np.array_equal(data.load(name).scene[0] * 255, content()[f"{split}_images"][i])


def test_the_larger_editions_have_files_of_their_own(copy: Path) -> None:
    data = Organamnist(path=str(copy), side=64, margin=8, limit=2)
    assert data.ids() == ["test_00000", "test_00001"]
    image = data.load("test_00001")
    assert image.scene.shape == (1, 64, 64)
    assert image.margin == 8
    assert np.array_equal(image.scene[0] * 255, content(64)["test_images"][1])


def test_a_file_may_be_named_instead_of_its_folder(copy: Path) -> None:
    (copy / "organamnist.npz").rename(copy / "mine.npz")
    assert len(Organamnist(path=str(copy / "mine.npz"), split="val").ids()) == COUNTS["val"]


@pytest.mark.parametrize("split", COUNTS)
def test_it_conforms(copy: Path, split: str) -> None:
    check_dataset("organamnist", {"path": str(copy), "split": split})


def test_without_a_copy_the_error_says_how_to_get_one(home: Path) -> None:
    with pytest.raises(DataError, match=r"organamnist\.npz is not there(.|\n)*pip install medmnist(.|\n)*path:"):
        Organamnist().ids()
    with pytest.raises(DataError, match=r"elsewhere(.|\n)*is not there"):
        Organamnist(path=str(home / "elsewhere"), download=True).ids()


def test_a_download_without_medmnist_says_what_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "medmnist", None)
    with pytest.raises(DataError, match=r"needs the package medmnist(.|\n)*medmnist\.com"):
        Organamnist(download=True).ids()


def medmnist(monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> list[dict[str, Any]]:
    """A stand-in for the package, with the signature of its class; returns the calls it will have had."""
    calls: list[dict[str, Any]] = []

    def organ(split: str, download: bool = False, root: str = "", size: int | None = None) -> None:
        calls.append({"root": root, "size": size})
        if fails:
            raise RuntimeError("Something went wrong when downloading!")
        np.savez_compressed(Path(root) / "organamnist.npz", **content())

    package = types.ModuleType("medmnist")
    package.OrganAMNIST = organ  # pyright: ignore[reportAttributeAccessIssue] (a module takes any attribute)
    monkeypatch.setitem(sys.modules, "medmnist", package)
    return calls


def test_a_download_is_asked_for_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = medmnist(monkeypatch)
    with pytest.raises(DataError, match="is not there"):
        Organamnist().ids()  # nothing is fetched unless the grid says so
    data = Organamnist(download=True)
    assert len(data.ids()) == COUNTS["test"]
    data.load("test_00000")
    assert calls == [{"root": str(home / ".medmnist"), "size": 28}]
    assert len(Organamnist(split="train").ids()) == COUNTS["train"]  # from then on it is there


def test_a_failed_download_is_a_data_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    medmnist(monkeypatch, fails=True)
    with pytest.raises(DataError, match="could not download organamnist"):
        Organamnist(download=True).ids()


def test_a_file_of_other_arrays_is_refused_by_name(copy: Path) -> None:
    np.savez(copy / "rgb.npz", test_images=np.zeros((2, 28, 28, 3), np.uint8))
    (copy / "text.npz").write_text("no zip")
    for name, words in [("rgb.npz", r"uint8 \(2, 28, 28, 3\), not"), ("text.npz", "no test_images can be read")]:
        with pytest.raises(DataError, match=words):
            Organamnist(path=str(copy / name)).ids()
    with pytest.raises(DataError, match="no val_images can be read"):
        Organamnist(path=str(copy / "rgb.npz"), split="val").ids()
    with pytest.raises(DataError, match=r"not uint8 \(n, 64, 64\)"):
        Organamnist(path=str(copy / "organamnist.npz"), side=64).ids()


def test_damaged_pixels_are_a_data_error(copy: Path) -> None:
    file = copy / "organamnist.npz"
    bytes_ = bytearray(file.read_bytes())
    at = bytes_.find(b"test_images.npy") + 1500
    bytes_[at : at + 40] = b"\0" * 40
    file.write_bytes(bytes_)
    with pytest.raises(DataError, match="damaged"):
        Organamnist(path=str(copy)).load("test_00000")


def test_names_and_settings_out_of_range_are_refused(copy: Path) -> None:
    with pytest.raises(DataError, match="no crop 'test_00004'"):
        Organamnist(path=str(copy)).load("test_00004")
    wrong: list[dict[str, Any]] = [{"split": "tests"}, {"side": 32}, {"margin": 14}, {"limit": 0}]
    for settings in wrong:
        with pytest.raises(SettingError):
            Organamnist(**settings)


def test_the_fingerprint_follows_the_file(copy: Path) -> None:
    data = Organamnist(path=str(copy))
    before = data.fingerprint("test_00000")
    assert before == Organamnist(path=str(copy)).fingerprint("test_00000") != data.fingerprint("test_00001")
    np.savez_compressed(copy / "organamnist.npz", **{k: v[::-1] for k, v in content().items()})
    assert data.fingerprint("test_00000") != before
    assert np.array_equal(data.load("test_00000").scene[0] * 255, content()["test_images"][-1])
