"""Bursts of neighbouring frames: from a folder, through the sensor, to the solvers that take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
import yaml
from bench.datasets.folder import Folder  # pyright: ignore[reportMissingImports]
from PIL import Image as Pil

from bench import DataError, Exposed, Image, SettingError
from bench.grid.image_index import image_sha
from bench.imaging.measure import measure
from bench.methods.make_problem import assemble
from bench.methods.networks.restore import load_restorer
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin
from bench.running.runner import Finished
from bench.seeds import generator
from tests.make_solver import made
from tests.restoration import SWINIR, write_restorer

FRAMES = 8


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Eight gray frames of 24 x 24 pixels, the k-th of intensity 10 k."""
    root = tmp_path / "sequence"
    root.mkdir()
    for k in range(FRAMES):
        Pil.fromarray(np.full((24, 24), 10 * k, np.uint8)).save(root / f"{k:03d}.png")
    return root


@pytest.fixture
def three(tmp_path: Path) -> str:
    """Weights of a SwinIR of three frames, which were never trained and do not vanish."""
    return str(write_restorer(tmp_path / "three.safetensors", SWINIR.model_copy(update={"frames": 3})))


def noise() -> Any:
    return load_plugin(find_plugin("noise", "poisson_gaussian"))(lam=1000, sigma=4)


def burst(N: int, C: int = 1, side: int = 20) -> Image:
    frames = generator("burst", N, C).uniform(0.2, 0.8, (N, C, side, side))
    return Image("x", frames[N // 2], 2, frames)


def problem_of(image: Image) -> Problem:
    measured = measure(image, Exposed(np.full((3, 3), 1 / 9)), noise(), generator("noise"))
    return assemble([measured], [generator("solver")], blind=True)


def levels(image: Image) -> list[int]:
    assert image.burst is not None
    return [round(255 * float(frame.mean()) / 10) for frame in image.burst]


def test_a_frame_of_a_sequence_comes_with_its_neighbours_and_the_ends_have_none(sequence: Path) -> None:
    folder = Folder(str(sequence), margin=2, frames=3)
    assert folder.ids() == [f"{k:03d}.png" for k in range(1, FRAMES - 1)]
    image = folder.load("004.png")
    assert levels(image) == [3, 4, 5]
    assert np.array_equal(image.scene, image.burst[1])
    assert Folder(str(sequence), margin=2, frames=3, limit=2).ids() == ["001.png", "002.png"]


def test_a_split_of_a_sequence_is_a_piece_of_it_and_no_burst_reaches_across(sequence: Path) -> None:
    parts = {
        split: Folder(str(sequence), margin=2, frames=3, split=split, fractions=(0.5, 0, 0.5))
        for split in ("train", "test")
    }
    seen = {split: {n for i in folder.ids() for n in levels(folder.load(i))} for split, folder in parts.items()}
    assert seen == {"train": {0, 1, 2, 3}, "test": {4, 5, 6, 7}}


def test_a_sequence_too_short_and_a_frame_without_neighbours_are_refused(sequence: Path) -> None:
    with pytest.raises(DataError, match="make no burst of 9 frames"):
        Folder(str(sequence), margin=2, frames=9).ids()
    with pytest.raises(DataError, match="not in the middle of 3 frames"):
        Folder(str(sequence), margin=2, frames=3).load("000.png")
    with pytest.raises(SettingError, match="frames must be odd"):
        Folder(str(sequence), frames=4)
    Pil.fromarray(np.zeros((30, 30), np.uint8)).save(sequence / "003.png")
    with pytest.raises(DataError, match="differ in shape"):
        Folder(str(sequence), margin=2, frames=3).load("004.png")


def test_another_neighbour_makes_another_image(sequence: Path) -> None:
    folder = Folder(str(sequence), margin=2, frames=3)
    before = folder.fingerprint("004.png"), image_sha(folder, "004.png")
    Pil.fromarray(np.full((24, 24), 99, np.uint8)).save(sequence / "005.png", compress_level=0)
    after = folder.fingerprint("004.png"), image_sha(folder, "004.png")
    assert all(a != b for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("boundary", ["valid", "circular"])
def test_the_middle_measurement_is_that_of_the_single_picture(
    boundary: Literal["valid", "circular"],
) -> None:
    image, exposed = burst(5), Exposed(np.full((3, 3), 1 / 9))
    several = measure(image, exposed, noise(), generator("noise"), boundary)
    single = measure(replace(image, burst=None), exposed, noise(), generator("noise"), boundary)
    assert several.burst is not None
    assert np.array_equal(several.burst[2], single.y)
    assert np.array_equal(several.y, single.y)
    assert several.sha != single.sha


def test_every_frame_has_noise_of_its_own_behind_one_kernel() -> None:
    flat = np.full((3, 1, 68, 68), 0.5)
    measured = measure(Image("x", flat[1], 2, flat), Exposed(np.full((3, 3), 1 / 9)), noise(), generator("noise"))
    assert measured.burst is not None
    correlation = np.corrcoef(measured.burst.reshape(3, -1))
    assert np.abs(correlation - np.eye(3)).max() < 5 / 64


def test_a_network_of_bursts_sees_the_middle_frames_in_their_order(three: str) -> None:
    solver, problem = made("swinir", weights=three), problem_of(burst(5))
    assert problem.burst is not None
    direct = load_restorer(three)(problem.burst[:, 1:4, 0])
    torch.testing.assert_close(solver.solve(problem), direct)
    other = problem.replace(burst=problem.burst.flip(1))
    assert not torch.allclose(solver.solve(other), direct)


def test_colours_of_a_burst_go_through_gray_weights_one_by_one(three: str) -> None:
    solver, problem = made("swinir", weights=three), problem_of(burst(3, C=3))
    assert problem.burst is not None
    alone = [
        solver.solve(problem.replace(y=problem.y[:, c : c + 1], burst=problem.burst[:, :, c : c + 1]))
        for c in range(3)
    ]
    torch.testing.assert_close(solver.solve(problem), torch.cat(alone, 1))


def test_a_network_of_bursts_refuses_single_pictures(three: str) -> None:
    with pytest.raises(SettingError, match="bursts of 3 frames, the data have 1"):
        made("swinir", weights=three).solve(problem_of(replace(burst(3), burst=None)))


def test_a_grid_runs_single_pictures_and_bursts_side_by_side(
    sequence: Path, three: str, tmp_path: Path, run_grid: Callable[..., Finished]
) -> None:
    one = str(write_restorer(tmp_path / "one.safetensors", SWINIR))
    grid = {
        "name": "bursts",
        "data": {"test": {"folder": {"path": str(sequence), "margin": 2, "frames": 3, "limit": 2}}},
        "blur": [{"gaussian": {"sigma": 0.5}}],
        "noise": [{"poisson_gaussian": {"lam": 48000, "sigma": 2}}],
        "solvers": [
            "wiener",
            {"swinir": {"id": "one", "weights": one}},
            {"swinir": {"id": "burst", "weights": three}},
        ],
        "metrics": ["psnr"],
        "run": {"workers": 1},
    }
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(grid))
    rows = run_grid(path).test
    assert {(r["solver"], r["status"]) for r in rows} == {(s, "ok") for s in ("wiener", "one", "burst")}
    assert len({r["y_sha"] for r in rows}) == 2
