"""Rows say whether their network was trained on the degradation that they are tested on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.grid.cells import Cell
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import parse_grid
from bench.grid.yaml import parse_yaml
from bench.methods.networks.weights import encode
from bench.running.training_note import OUTSIDE, TRAINED, training_note

GRID = """
data: {{test: {{phantoms: {{size: 32, margin: 16, limit: 1}}}}}}
blur: [{blur}]
noise: [poisson_gaussian: {{lam: {lam}, sigma: {sigma}}}]
solvers: [convir: {{weights: {weights}}}]
protocol: {{boundary: {boundary}}}
"""
TRAINING = {
    "blur": [
        {"boracchi_foi": {"anxiety": 0.005, "length": [8, 12, 16], "trajectories": 2000}},
        {"disk": {"radius": 2}},
    ],
    "noise": [{"poisson_gaussian": {"zip": {"lam": ["inf", 48000], "sigma": [0, 4]}}}],
    "boundary": "valid",
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    path.write_bytes(encode({"a": torch.zeros(1)}, {"kind": "restorer"}))
    path.with_suffix(".json").write_text(json.dumps({"degradation": TRAINING}))
    return path


def cell(weights: Path, blur: str, lam: Any = 48000, sigma: float = 4, boundary: str = "valid") -> Cell:
    text = GRID.format(blur=blur, lam=lam, sigma=sigma, weights=weights, boundary=boundary)
    grid = parse_grid(parse_yaml(text, "grid.yaml"), weights.parent)
    planner = Planner(grid, ImageIndex())
    return next(planner.cells("test", grid.solvers[0], planner.settings))


@pytest.mark.parametrize(
    ("given", "outside"),
    [
        ({"blur": "boracchi_foi: {length: 12}"}, ""),
        ({"blur": "boracchi_foi: {length: 10, size: 31}"}, ""),  # between trained values; the support does not count
        ({"blur": "boracchi_foi: {length: {uniform: [8, 16]}}"}, ""),
        ({"blur": "disk: {radius: 2}", "lam": ".inf", "sigma": 0}, ""),
        ({"blur": "boracchi_foi: {length: 32}", "sigma": 20}, "length 32 > 16; sigma 20 > 4"),
        ({"blur": "boracchi_foi: {length: {uniform: [4, 12]}}"}, "length 4 < 8"),
        ({"blur": "boracchi_foi: {length: 16, T: 0.25}"}, "T 0.25 < 1"),
        ({"blur": "boracchi_foi: {length: 16, shakes: 0.1}"}, "shakes 0.1"),
        ({"blur": "linear: {length: 9}"}, "blur linear"),
        ({"blur": "disk: {radius: 2}", "boundary": "circular"}, "boundary circular"),
    ],
)
def test_a_degradation_is_trained_on_if_each_parameter_lies_within_the_training(
    weights: Path, given: dict[str, Any], outside: str
) -> None:
    assert training_note(cell(weights, **given)) == (f"{OUTSIDE} ({outside})" if outside else TRAINED)


@pytest.mark.parametrize("card", ["{}", '{"degradation": null}', '{"degradation": {"blur": [3]}}', "{", "[]"])
def test_weights_of_which_nothing_is_known_have_no_note(weights: Path, card: str) -> None:
    path = weights.with_name("b.safetensors")
    path.write_bytes(encode({"a": torch.zeros(1)}, {"kind": "restorer"}))
    path.with_suffix(".json").write_text(card)
    assert training_note(cell(path, "disk: {radius: 2}")) is None


def test_the_shipped_networks_know_what_they_were_trained_on() -> None:
    shakes = training_note(cell(Path("convir"), "boracchi_foi: {length: 16}"))
    assert shakes == TRAINED
