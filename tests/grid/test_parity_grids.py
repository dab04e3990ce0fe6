"""The grids that repeat published protocols: their numbers, and that they run, with a tiny network on noise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from bench.grid.cells import Cell
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import find_grid, read_grid
from bench.methods.networks.adm import ADM, ADMConfig
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.running.score import given, taken
from bench.running.solve import attempt
from tests.methods.test_adm import randomised

NAMES = ("ffhq256", "imagenet256", "inversebench_ffhq256")
#: those with two blurs, and with the step of DPS's own code
OF_DPS = NAMES[:2]


def content(name: str) -> dict[str, Any]:
    return yaml.safe_load(find_grid(name).read_text(encoding="utf-8"))


def small(name: str, folder: Path) -> Path:
    """The grid with pictures of 32 px, a network of two levels and a few steps."""
    (folder / "pictures").mkdir()
    for i in range(2):
        picture = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / "pictures" / f"{i}.png")
    network = randomised(ADM(ADMConfig(3, 6, 32, (32, 32), 1, (False, True), head_channels=32)))
    torch.save(network.state_dict(), folder / "adm.pt")
    text = find_grid(name).read_text(encoding="utf-8")
    changes = {
        r"~/models/\S+\.pt": f"{folder}/adm.pt, head_channels: 32",
        r"path: ~/(ffhq256|imagenet/val)": f"path: {folder}/pictures",
        r"\b256, ": "32, ",
        "margin: 32": "margin: 20",
        "length: 60": "length: 9",
        r"steps: \d+": "steps: 3",
    }
    if name not in OF_DPS:
        del changes["length: 60"]
    for old, new in changes.items():
        text, count = re.subn(old, new, text)
        assert count, old
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{name}.yaml"


def planned(path: Path, folder: Path) -> list[Cell]:
    grid = read_grid(path)
    planner = Planner(grid, ImageIndex(folder / "index"))
    return [c for e in grid.solvers for c in planner.cells("test", e, planner.settings)]


@pytest.mark.parametrize("name", NAMES)
def test_every_solver_meets_every_blur_with_the_one_prior(name: str, tmp_path: Path) -> None:
    cells = planned(small(name, tmp_path), tmp_path)
    assert len(cells) == 2 * len(content(name)["blur"]) * len(content(name)["solvers"])
    assert {c.identity["prior_name"] for c in cells} == {None, "adm"}
    assert {c.unverified for c in cells} == {""}


def test_every_solver_runs_in_colour(tmp_path: Path) -> None:
    cells = planned(small("ffhq256", tmp_path), tmp_path)
    for cell in {c.label: c for c in cells}.values():
        x = np.asarray(attempt(given([cell], "cpu"), [taken(cell).sensed]).x)
        assert x.shape[-3:] == (3, 32, 32), cell.label
        assert np.isfinite(x).all(), cell.label


@pytest.mark.parametrize("name", NAMES)
def test_the_noise_is_a_twentieth_in_the_units_of_the_networks(name: str) -> None:
    (noise,) = (next(iter(n.values())) for n in content(name)["noise"])
    assert 2 * noise["sigma"] / 255 == pytest.approx(0.05)
    assert noise["lam"] == float("inf")


@pytest.mark.parametrize("name", NAMES)
def test_the_gaussian_kernel_is_that_of_dps(name: str) -> None:
    """scipy's filter of a point in the middle of 61 x 61."""
    (settings,) = (b["gaussian"] for b in content(name)["blur"] if "gaussian" in b)
    plugin = find_plugin("operator", "gaussian")
    psf = build(plugin, load_plugin(plugin), {"sigma": settings["sigma"]}).psf(np.random.default_rng(0)).psf
    point = np.zeros((61, 61))
    point[30, 30] = 1
    theirs = gaussian_filter(point, 3.0)
    margin = (61 - len(psf)) // 2
    np.testing.assert_allclose(np.pad(psf, margin), theirs, atol=1e-15)


@pytest.mark.parametrize("name", OF_DPS)
def test_the_step_of_dps_is_theirs(name: str) -> None:
    """x ← x - 0.3 ∇|y - A x̂_0|; ours is scale · 0.008 √m · 1000/steps · min(0.1/σ, 2) times the same gradient."""
    (dps,) = (s["dps"] for s in content(name)["solvers"] if isinstance(s, dict) and s.get("dps", {}).get("scale"))
    m, sigma = 3 * 256**2, 0.05
    step = dps["scale"] * 0.008 * m**0.5 * 1000 / dps["steps"] * min(0.1 / sigma, 2)
    assert step == pytest.approx(0.3, rel=1e-3)
