"""Unrolled half-quadratic splitting: what it is before training, what it must never depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import WeightsError
from bench.methods.diffusion.power_law import PHOTOGRAPHS
from bench.methods.networks import prior, weights
from bench.methods.networks.half_quadratic import Seen
from bench.methods.networks.res_unet import ResUNetConfig
from bench.methods.networks.unrolled import UnrolledConfig, UnrolledNet, build, from_prior
from bench.testing import check_solver
from tests.make_solver import made
from tests.problems import camera, problem, psnr
from tests.restoration import CONVIR, write_restorer

DENOISER = ResUNetConfig(kind="res_unet", channels=(8, 16), blocks=(1, 1), space_to_depth=2, embedding=8)
CONFIG = UnrolledConfig(kind="unrolled", steps=3, denoiser=DENOISER, hidden=4)


def write(path: Path, config: UnrolledConfig = CONFIG, disturbed: float = 0.0) -> Path:
    """An untrained solver as a weights file, its weights disturbed by noise."""
    torch.manual_seed(0)
    model = build(config)
    for p in model.parameters():
        p.data += disturbed * torch.randn_like(p)
    card = {"kind": "unrolled", "network": config.model_dump(mode="json"), "size": 32}
    path.write_bytes(weights.encode(model.network.state_dict(), card, torch.float32))
    return path


def solved(path: Path, *args: Any, **kwargs: Any) -> torch.Tensor:
    made_problem, _ = problem(*args, **kwargs)
    return made("unrolled", weights=str(path)).solve(made_problem)


def test_it_keeps_the_contract_of_solvers(tmp_path: Path) -> None:
    check_solver("unrolled", {"weights": str(write(tmp_path / "w.safetensors", disturbed=0.05))})


@pytest.mark.parametrize("boundary", ["valid", "circular"])
@pytest.mark.parametrize("size", [64, 53])
def test_before_training_it_improves_a_blurred_picture_of_any_size(boundary: str, size: int, tmp_path: Path) -> None:
    made_problem, truth = problem([camera(size)], boundary=boundary, sigma=1e-3)  # type: ignore[arg-type]
    estimate = made("unrolled", weights=str(write(tmp_path / "w.safetensors"))).solve(made_problem)
    assert estimate.shape == truth.shape
    assert psnr(estimate, truth) > psnr(made_problem.y, truth) + 3
    assert made_problem.cost.nfe_forward == CONFIG.steps


def test_its_first_data_step_is_the_wiener_filter() -> None:
    """One step and a denoiser that says nothing: x_1 / (1 + σ_1²), σ_1² the mean posterior variance of a pixel."""
    made_problem, _ = problem([camera(48)], sigma=0.02)
    data = Seen.of(made_problem)
    net = build(CONFIG.model_copy(update={"steps": 1})).double().requires_grad_(False)
    S, v, F = PHOTOGRAPHS.spectrum((48, 48)), float(data.variance), torch.fft.fft2
    K = torch.fft.fft2(torch.fft.irfft2(data.K, s=(48, 48)))
    S = torch.cat([S, S.roll(-1, 0).flip(0)[:, 1:24].flip(1)], 1)  # the whole plane: S(f) = S(-f)
    mean = data.y.mean()
    wiener = mean + torch.fft.ifft2(S * K.conj() / (S * K.abs() ** 2 + v) * F(data.y - mean)).real
    variance = (S * v / (S * K.abs() ** 2 + v)).mean()
    assert torch.allclose(net(data), wiener / (1 + variance), atol=1e-3)


def test_with_a_trained_prior_it_begins_as_plug_and_play() -> None:
    """Its denoiser is the prior's, whatever lies beside x_k."""
    torch.manual_seed(0)
    given = prior.build(DENOISER, {"name": "linear", "steps": 1000}, "v").double()
    for p in given.parameters():
        p.data += 0.1 * torch.randn_like(p)
    net = UnrolledNet(CONFIG).double()
    net.load_state_dict(from_prior(given.network.state_dict(), net))
    x, sigma = torch.randn(2, 1, 16, 16).double(), torch.tensor([0.05, 0.7]).double()
    assert torch.allclose(net.denoise(x, torch.randn_like(x), sigma, 1), given.denoise(x, sigma), atol=1e-6)


def test_colours_are_restored_apart_and_pictures_of_a_batch_too(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", disturbed=0.05)
    colours = np.concatenate([camera(40), camera(40)[:, ::-1], camera(40)[:, :, ::-1]])
    made_problem, _ = problem([colours], boundary="valid", sigma=0.01)
    together = made("unrolled", weights=str(path)).solve(made_problem)
    for c in range(3):
        one = made_problem.replace(y=made_problem.y[:, [c]])
        assert torch.allclose(together[:, [c]], made("unrolled", weights=str(path)).solve(one), atol=1e-7)


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = write_restorer(tmp_path / "convir.safetensors", CONVIR)
    with pytest.raises(WeightsError, match="holds the weights of a restorer, not of a unrolled"):
        solved(path, [camera(32)])
