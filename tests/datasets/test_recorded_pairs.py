"""GoPro and RSBlur from a user's folder: layouts, crops, halving, the message where they are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import DataError, SettingError
from bench.contracts import Dataset
from bench.imaging.pairs import spread
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.testing import check_dataset


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    """Two sequences of three frames, 40 x 48, the blurred ones darker by 10 grey levels."""
    rng = np.random.default_rng(0)
    for sequence in ("GOPR0001", "GOPR0002"):
        for number in range(3):
            sharp = rng.integers(20, 240, (40, 48, 3), dtype=np.uint8)
            write(tmp_path / f"{sequence}/sharp/{number:06d}.png", sharp)
            write(tmp_path / f"{sequence}/blur/{number:06d}.png", sharp - 10)
    return tmp_path


@pytest.fixture
def rsblur(tmp_path: Path) -> Path:
    """Two shots of one scene."""
    rng = np.random.default_rng(1)
    for shot in ("0001", "0002"):
        sharp = rng.integers(20, 240, (40, 48, 3), dtype=np.uint8)
        write(tmp_path / f"scene/{shot}/gt/gt_sharp.png", sharp)
        write(tmp_path / f"scene/{shot}/real_blur/real_blur.png", sharp - 10)
    return tmp_path


def made(name: str, **settings: object) -> Dataset:
    plugin = find_plugin("dataset", name)
    return build(plugin, load_plugin(plugin), settings)


def recorded(dataset: Dataset, id: str):
    return dataset.recorded(id)  # type: ignore[attr-defined]  # not part of the contract of every dataset


def test_a_pair_is_a_problem_with_an_impulse_for_a_psf(gopro: Path) -> None:
    dataset = made("gopro", path=str(gopro), mode="rgb")
    m = recorded(dataset, dataset.ids()[0])
    assert m.y.shape == m.truth.shape == (3, 40, 48)
    assert np.allclose(m.truth - m.y, 10 / 255)
    assert m.psf.tolist() == [[1.0]]


def test_halved_frames_are_means_of_two_by_two_pixels_and_crops_lie_in_the_middle(gopro: Path) -> None:
    whole = recorded(made("gopro", path=str(gopro)), "GOPR0002/sharp/000001.png").truth
    halved = recorded(made("gopro", path=str(gopro), halved=True, size=8), "GOPR0002/sharp/000001.png").truth
    means = whole.reshape(1, 20, 2, 24, 2).mean((2, 4))
    assert np.allclose(halved, means[:, 6:14, 8:16])


def test_a_limit_is_spread_over_the_set(gopro: Path) -> None:
    names = made("gopro", path=str(gopro), limit=2).ids()
    assert names == ["GOPR0001/sharp/000000.png", "GOPR0002/sharp/000002.png"]
    assert spread(list("abcdefghi"), 3) == ["a", "e", "i"]
    with pytest.raises(SettingError, match="at least 1"):
        spread(["a"], 0)


@pytest.mark.parametrize("name", ["gopro", "rsblur"])
def test_a_set_of_pairs_keeps_the_contract_of_a_dataset(name: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(name)
    check_dataset(name, {"path": str(path), "size": 16, "margin": 4})
    m = recorded(made(name, path=str(path), size=16, margin=4), made(name, path=str(path)).ids()[0])
    assert m.y.shape == (1, 16, 16)


@pytest.mark.parametrize("name", ["gopro", "rsblur"])
def test_a_set_that_is_not_there_says_where_it_comes_from(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)there is no .*nowhere.*The set is .*ships no copy"):
        made(name, path=str(tmp_path / "nowhere")).ids()


def test_frames_that_do_not_fit_are_refused(gopro: Path) -> None:
    dataset = made("gopro", path=str(gopro), size=64)
    with pytest.raises(DataError, match="64 are needed"):
        dataset.load(dataset.ids()[0])
    with pytest.raises(DataError, match="no picture 'x'"):
        dataset.load("x")
    with pytest.raises(SettingError, match="size must be at least 1"):
        made("gopro", path=str(gopro), size=0)


def test_groups_are_the_sequences_of_gopro_and_the_scenes_of_rsblur(gopro: Path, tmp_path: Path) -> None:
    frames = made("gopro", path=str(gopro))
    assert [frames.group_of(i) for i in frames.ids()] == ["GOPR0001"] * 3 + ["GOPR0002"] * 3


@pytest.mark.parametrize("place", ["", "RSBlur", "datalist"])
def test_published_lists_may_lie_beside_the_set_in_it_or_in_a_folder_beside_it(rsblur: Path, place: str) -> None:
    shots = sorted(rsblur.glob("scene/*"))
    (rsblur / "RSBlur").mkdir()
    (rsblur / "scene").rename(rsblur / "RSBlur/scene")
    paths = [f"RSBlur/scene/{s.name}" for s in shots]
    (rsblur / place).mkdir(exist_ok=True)
    listed = rsblur / place / "RSBlur_real_test.txt"
    listed.write_text("".join(f"{p}/gt/gt_sharp.png {p}/real_blur/real_blur.png\n" for p in paths), encoding="utf-8")
    pictures = made("rsblur", path=str(listed))
    assert pictures.ids() == [f"{p}/gt/gt_sharp.png" for p in paths]
    assert {pictures.group_of(i) for i in pictures.ids()} == {"scene"}
    assert recorded(pictures, pictures.ids()[0]).y.shape == (1, 40, 48)


def test_a_list_with_one_file_in_a_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png b.png\nc.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="entry 2 does not name a sharp and a blurred file"):
        made("rsblur", path=str(tmp_path / "list.txt")).ids()


def test_gopro_is_read_from_folders_input_and_target_too(tmp_path: Path) -> None:
    names = ["GOPR0384_11_00-000001.png", "GOPR0384_11_00-000002.png", "GOPR0385_11_01-003011.png"]
    for name in names:
        write(tmp_path / "target" / name, np.full((8, 8, 3), 200, np.uint8))
        write(tmp_path / "input" / name, np.full((8, 8, 3), 100, np.uint8))
    frames = made("gopro", path=str(tmp_path))
    assert frames.ids() == [f"target/{n}" for n in names]
    assert [frames.group_of(i) for i in frames.ids()] == ["GOPR0384_11_00"] * 2 + ["GOPR0385_11_01"]
    assert np.allclose(recorded(frames, frames.ids()[0]).y, 100 / 255)
    with pytest.raises(SettingError, match="only blur"):
        made("gopro", path=str(tmp_path), blurred="blur_gamma").ids()
