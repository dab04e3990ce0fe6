"""The grid of colour photographs, with tiny networks: gray and colour priors side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from bench.grid.read import find_grid, read_grid
from bench.methods.networks import weights
from bench.methods.networks.prior import build
from bench.methods.networks.unet import UNetConfig
from bench.running.runner import Finished

GRID = find_grid("colour")
LINEAR = {"name": "linear", "steps": 1000}
CALIBRATION = {"sigmas": [0.01, 10.0], "frequencies": [0.1, 0.5], "mean": 0.0}
TABLE = [[1e-4, 1e-4], [10.0, 0.1]]


def write_prior(path: Path, channels: int) -> str:
    """An untrained prior of that many channels as a weights file."""
    torch.manual_seed(0)
    config = UNetConfig.model_validate(
        {"channels": (8,), "groups": 4, "attention": (False,), "head_dim": 8, "image_channels": channels}
    )
    network = build(config, LINEAR, "v").network
    power = TABLE if channels == 1 else [TABLE] * channels
    card = {"network": config.model_dump(mode="json"), "schedule": LINEAR, "prediction": "v"}
    path.write_bytes(weights.encode(network.state_dict(), {**card, "calibration": {**CALIBRATION, "power": power}}))
    return str(path)


def with_tiny_priors(folder: Path, **changes: Any) -> Path:
    """The grid with other weights, and ``changes``."""
    files = {"photos": ("gray", 1), "photos_rgb": ("rgb", 3)}
    text = GRID.read_text(encoding="utf-8")
    for name, (stem, channels) in sorted(files.items(), reverse=True):
        text = text.replace(f"prior: {name},", f"prior: {write_prior(folder / f'{stem}.safetensors', channels)},")
    content = yaml.safe_load(text) | changes
    path = folder / "colour.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_colour_grid_runs_each_sampler_with_both_priors(tmp_path: Path) -> None:
    grid = read_grid(with_tiny_priors(tmp_path))
    labels = [e.label for e in grid.solvers]
    gray = {name.removesuffix(" gray") for name in labels if name.endswith(" gray")}
    assert gray == {name.removesuffix(" colour") for name in labels if name.endswith(" colour")} != set()


@pytest.mark.slow
def test_a_picture_takes_as_many_evaluations_with_either_prior(
    run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    """Gray channels ride in one batch: an evaluation is one of a picture, whatever the prior."""
    solvers = [
        {"pnp_hqs": {"id": name, "prior": write_prior(tmp_path / f"{name}.safetensors", channels), "steps": 2}}
        for name, channels in (("gray", 1), ("colour", 3))
    ]
    photos = {"split": "test", "size": 32, "margin": 8, "mode": "rgb", "coloured": True, "limit": 1}
    path = with_tiny_priors(
        tmp_path,
        data={"test": {"photos": photos}},
        blur=[{"disk": {"radius": 2}}],
        noise=[{"poisson_gaussian": {"lam": 48000, "sigma": 4}}],
        solvers=solvers,
        samples=1,
        tune={},
        metrics=["psnr"],
        run={"timeout": 120, "workers": 1},
    )
    rows = {r["solver"]: r for r in run_grid(path).rows}
    assert {r["status"] for r in rows.values()} == {"ok"}
    assert {(r["channels"], r["nfe_forward"]) for r in rows.values()} == {(3, 2)}
    assert rows["gray"]["m_psnr"] != rows["colour"]["m_psnr"]
