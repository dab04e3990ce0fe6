"""Trained priors in the harness: looked up, hashed into keys, handed to solvers, counted; several samples a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import BenchError, WeightsError
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.methods.networks import weights
from bench.methods.networks.prior import build
from bench.methods.networks.unet import UNetConfig
from bench.plugins.code_digest import closure, harness_files, start_files
from bench.plugins.lookup import find_plugin
from bench.plugins.weights import find_weights, sha256

TINY = UNetConfig(channels=(8,), groups=4, attention=(False,), layers=1, head_dim=8, space_to_depth=2)
CALIBRATION = {"sigmas": [0.01, 10.0], "frequencies": [0.1, 0.5], "power": [[1e-4, 1e-4], [10.0, 0.1]], "mean": 0.0}


def write_weights(path: Path, seed: int = 0) -> Path:
    """An untrained prior as a weights file."""
    torch.manual_seed(seed)
    prior = build(TINY, {"name": "linear", "steps": 1000}, "v")
    card = {"network": TINY.model_dump(mode="json"), "schedule": {"name": "linear", "steps": 1000}, "prediction": "v"}
    path.write_bytes(weights.encode(prior.network.state_dict(), {**card, "calibration": CALIBRATION}))
    return path


def cells(path: Path, tmp_path: Path) -> list[Any]:
    grid = read_grid(path)
    planner = Planner(grid, ImageIndex(tmp_path / "index"))
    return [c for e in grid.solvers for c in planner.cells("test", e, planner.settings)]


def test_weights_are_found_by_name_or_path_and_a_wrong_name_is_told_the_right_ones(tmp_path: Path) -> None:
    file = write_weights(tmp_path / "mine.safetensors")
    assert find_weights(str(file)) == file
    assert find_weights("photos").name == "photos.safetensors"
    with pytest.raises(WeightsError, match="photos"):
        find_weights("fotos")
    with pytest.raises(WeightsError, match=r"no file .*other\.safetensors"):
        find_weights(str(tmp_path / "other.safetensors"))


def test_the_key_follows_the_content_of_the_weights_and_not_their_place(write_grid, tmp_path: Path) -> None:
    def key(name: str, seed: int) -> str:
        file = write_weights(tmp_path / name, seed)
        return cells(write_grid(f"@prior_once.py: {{prior: {file}}}"), tmp_path)[0].key

    assert key("a.safetensors", 0) == key("b.safetensors", 0) != key("c.safetensors", 1)


def test_a_solver_that_needs_a_prior_gets_it_and_its_calls_are_counted(write_grid, run_grid, tmp_path: Path) -> None:
    file = write_weights(tmp_path / "mine.safetensors")
    finished = run_grid(write_grid(f"@prior_once.py: {{prior: {file}}}", "@copy.py"))
    rows = {r["solver"]: r for r in finished.rows}
    assert (rows["prior_once"]["status"], rows["prior_once"]["nfe_forward"]) == ("ok", 1)
    assert rows["prior_once"]["weights_sha"] == sha256(file)
    assert rows["copy"]["nfe_forward"] == 0
    assert rows["copy"]["weights_sha"] is None


def test_unknown_weights_stop_the_run_before_anything_is_computed(write_grid, run_grid) -> None:
    with pytest.raises(BenchError, match="no file 'nothing'"):
        run_grid(write_grid("@prior_once.py: {prior: {trained: {weights: nothing}}}"))


def test_the_code_of_networks_belongs_to_the_priors_that_use_them_alone() -> None:
    assert not [f for f in harness_files() if "networks" in f.parts or "diffusion" in f.parts]
    assert any("networks" in f.parts for f in closure(start_files(find_plugin("prior", "trained"))))


def test_samples_are_drawn_from_stochastic_solvers_alone(write_grid, run_grid) -> None:
    finished = run_grid(write_grid("@dice.py", "@copy.py", more="samples: 3"))
    rows = {r["solver"]: r for r in finished.rows}
    assert rows["dice"]["samples"] == 3
    assert rows["dice"]["m_psnr_mean"] > rows["dice"]["m_psnr"]
    assert 0 < rows["dice"]["m_coverage_90"] <= 1
    assert rows["copy"]["samples"] == 1
    assert rows["copy"]["m_psnr_mean"] == rows["copy"]["m_psnr"]
    assert rows["copy"]["m_coverage_90"] is None


def test_more_samples_make_other_cells_of_stochastic_solvers_alone(write_grid, tmp_path: Path) -> None:
    entries = ("@dice.py", "@copy.py")
    metrics = "metrics_"  # the metrics of both grids are the same: those of the posterior too
    one = cells(write_grid(*entries, more="tune: {samples: 1}\nsamples: 2", name=f"{metrics}a.yaml"), tmp_path)
    two = cells(write_grid(*entries, more="tune: {samples: 1}\nsamples: 3", name=f"{metrics}b.yaml"), tmp_path)
    same = {c.label: c.key == d.key for c, d in zip(one, two, strict=True)}
    assert same == {"dice": False, "copy": True}


def test_kept_pictures_of_a_sampler_hold_samples_mean_and_deviation(write_grid, run_grid, tmp_path: Path) -> None:
    run_grid(write_grid("@dice.py", more="samples: 3"))
    arrays = np.load(tmp_path / "out" / "images" / "0000.npz", allow_pickle=False)
    samples = arrays["samples:dice"].astype(float)
    assert samples.shape[0] == 3
    np.testing.assert_allclose(arrays["solver:dice"], samples[0])
    np.testing.assert_allclose(arrays["mean:dice"], samples.mean(0), atol=2e-3)
    np.testing.assert_allclose(arrays["std:dice"], samples.std(0, ddof=1), atol=2e-3)


def test_a_wrong_number_of_samples_is_an_invalid_row(write_grid, run_grid) -> None:
    finished = run_grid(write_grid("@dice_pair.py", more="samples: 3"))
    assert {r["status"] for r in finished.rows} == {"invalid"}
    assert all("returned the shape (2, " in r["error_message"] for r in finished.rows)
