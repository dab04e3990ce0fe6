"""``bench deblur``: folders, colour, blind solvers and such with a prior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

from bench.cli import app
from bench.contracts import Image as Scene
from bench.errors import SettingError
from bench.imaging.measure import blur_valid

PSF = np.full((1, 7), 1 / 7)


def deblur(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["deblur", *map(str, words)])
    if isinstance(done.exception, Exception):
        raise done.exception
    return done.exit_code, done.output


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)).save(path)


def scene() -> np.ndarray:
    """(3, 40, 46): a face in colour, with 3 columns on both sides that the sensor does not see."""
    return data.astronaut()[90:130, 200:246].transpose(2, 0, 1) / 255


def blurred() -> np.ndarray:
    tall = np.pad(scene(), ((0, 0), (3, 3), (0, 0)), mode="reflect")
    return blur_valid(Scene("astronaut", tall, 3), np.pad(PSF, ((3, 3), (0, 0))))


def test_a_folder_in_colour_is_deblurred_blindly_into_the_same_places(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", blurred())
    save(tmp_path / "in" / "trip" / "b.jpg", blurred()[:1])
    code, output = deblur(
        tmp_path / "in", "--solver", "conditional_dm", "--set", "steps=1", "--out", tmp_path / "out"
    )
    assert code == 0, output
    assert "1/2" in output
    assert "2/2" in output
    assert np.asarray(Image.open(tmp_path / "out" / "a.png")).shape == (40, 40, 3)
    assert np.asarray(Image.open(tmp_path / "out" / "trip" / "b.png")).shape == (40, 40)


def test_a_solver_with_a_prior_sharpens_with_the_shipped_one(tmp_path: Path) -> None:
    y = blurred()
    save(tmp_path / "y.png", y)
    np.save(tmp_path / "k.npy", PSF)
    code, output = deblur(
        tmp_path / "y.png", "--psf", tmp_path / "k.npy", "--solver", "sprox", "--set", "steps=5",
        "--set", "integrator=dpm", "--sigma", 1, "--out", tmp_path / "x.npy",
    )  # fmt: skip
    assert code == 0, output
    truth, x = scene()[..., 3:-3], np.load(tmp_path / "x.npy")
    assert ((x - truth) ** 2).mean() < 0.5 * ((y - truth) ** 2).mean()


def test_a_solver_that_needs_a_psf_says_so_and_names_those_that_do_not(tmp_path: Path) -> None:
    save(tmp_path / "y.png", blurred())
    with pytest.raises(SettingError, match=r"tv needs the PSF: --psf FILE; without one: conditional_dm"):
        deblur(tmp_path / "y.png", "--out", tmp_path / "out")


def test_a_picture_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    save(tmp_path / "in" / "b.png", blurred()[:1])
    (tmp_path / "in" / "a.png").write_bytes(b"no picture")
    code, output = deblur(tmp_path / "in", "--solver", "conditional_dm", "--set", "steps=1", "--out", tmp_path / "o")
    assert code == 4
    assert "1 of 2 pictures could not be done" in output
    assert (tmp_path / "o" / "b.png").is_file()


def test_nothing_is_overwritten_by_accident(tmp_path: Path) -> None:
    save(tmp_path / "a.png", blurred())
    save(tmp_path / "sub" / "a.jpg", blurred())
    blind = ("--solver", "conditional_dm")
    with pytest.raises(SettingError, match="several pictures would become"):
        deblur(tmp_path / "a.png", tmp_path / "sub" / "a.jpg", *blind, "--out", tmp_path / "out")
    with pytest.raises(SettingError, match="would be overwritten by its own estimate"):
        deblur(tmp_path / "a.png", *blind, "--out", tmp_path)
    with pytest.raises(SettingError, match="for several pictures give a folder"):
        deblur(tmp_path / "a.png", tmp_path / "sub" / "a.jpg", *blind, "--out", tmp_path / "x.png")
