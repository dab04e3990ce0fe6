"""Solvers that run trained networks, with tiny networks that were never trained: contracts, sizes, costs, samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench import SettingError
from bench.errors import WeightsError
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks import conditional, restorer
from bench.methods.networks.restore import load_conditional, load_restorer
from bench.methods.networks.sample import Sampler
from bench.methods.problem import Problem
from bench.plugins.weights import sha256
from bench.seeds import generator
from bench.testing import check_solver
from tests.make_solver import made
from tests.restoration import CONVIR, RESIDUAL, SWINIR, UNET, write_conditional, write_restorer


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A weights file of each kind."""
    root = tmp_path_factory.mktemp("weights")
    return {
        "convir": str(write_restorer(root / "convir.safetensors", CONVIR)),
        "swinir": str(write_restorer(root / "swinir.safetensors", SWINIR)),
        "conditional_dm": str(write_conditional(root / "dm.safetensors", UNET)),
        "conditional_residual": str(write_conditional(root / "residual.safetensors", RESIDUAL)),
    }


PATCHED: dict[str, dict[str, Any]] = {
    "convir": {"patch": 16, "overlap": 8},
    "swinir": {"patch": 16, "overlap": 8},
    "conditional_dm": {"steps": 2, "overlap": 8},
    "conditional_residual": {"steps": 2, "overlap": 8, "sampler": "ddpm"},
}


def solver_of(kind: str) -> str:
    return "conditional_dm" if kind == "conditional_residual" else kind


def problem(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Problem:
    """A blind problem whose images are uniform noise."""
    y = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return Problem(y=y, blur=None, noise=None, rng=tuple(generator("test", seed, i) for i in range(shape[0])))


@pytest.mark.parametrize("name", sorted(PATCHED))
def test_a_solver_with_trained_weights_conforms_in_one_piece_and_in_patches(
    name: str, weights: dict[str, str]
) -> None:
    check_solver(solver_of(name), {**PATCHED[name], "weights": weights[name]})


@pytest.mark.parametrize("name", sorted(PATCHED))
def test_trained_solvers_are_blind_and_say_so(name: str, weights: dict[str, str]) -> None:
    solver = made(solver_of(name), **PATCHED[name], weights=weights[name])
    assert solver.blind
    with torch.no_grad():
        x = solver.solve(problem(1, 1, 37, 50))
    assert x.shape == (1, 1, 37, 50)


@pytest.mark.parametrize("name", sorted(PATCHED))
def test_colours_are_restored_like_gray_images(name: str, weights: dict[str, str]) -> None:
    """With gray weights: the first colour of an image is restored as if it stood alone."""
    colour = problem(1, 3, 24, 24, dtype=torch.float64)
    solver = made(solver_of(name), **PATCHED[name], weights=weights[name])
    with torch.no_grad():
        x = solver.solve(colour)
        if not solver.stochastic:
            alone = Problem(y=colour.y[:, :1], blur=None, noise=None, rng=colour.rng)
            assert torch.allclose(solver.solve(alone), x[:, :1], atol=1e-10)
    assert x.shape == (1, 3, 24, 24)


def test_network_evaluations_are_counted_per_batch_of_patches(weights: dict[str, str]) -> None:
    """40 × 40 pixels are 16 patches of 16 that share 8 pixels: two batches of up to 8."""
    one = problem(1, 1, 40, 40)
    made("convir", patch=16, overlap=8, batch=8, weights=weights["convir"]).solve(one)
    assert one.cost.nfe_forward == 2
    five = problem(1, 1, 40, 40)
    made("conditional_dm", steps=5, overlap=8, batch=16, weights=weights["conditional_dm"]).solve(five)
    assert five.cost.nfe_forward == 5
    refined = problem(1, 1, 40, 40)
    made("conditional_dm", steps=5, overlap=8, batch=16, weights=weights["conditional_residual"]).solve(refined)
    assert refined.cost.nfe_forward == 6


def test_samples_differ_and_their_mean_is_what_average_returns(weights: dict[str, str]) -> None:
    settings = {"steps": 3, "weights": weights["conditional_dm"]}
    with torch.no_grad():
        samples = made("conditional_dm", **settings).samples(problem(2, 1, 16, 16), 3)
        mean = made("conditional_dm", average=3, **settings).solve(problem(2, 1, 16, 16))
    assert samples.shape == (3, 2, 1, 16, 16)
    assert float((samples[0] - samples[1]).abs().max()) > 1e-3
    assert torch.allclose(samples.mean(0), mean, atol=1e-5)


SCHEDULE = Schedule.make("linear")


def plan(**parameters: Any) -> Any:
    """A solver, for its parameters."""
    return made("conditional_dm", overlap=8, **parameters)


class _Exact(conditional.ConditionalUNet):
    """The exact denoiser of x ~ N(0, 0.25) seen as y = x + N(0, 0.25), in [-1, 1] units: p(x | y) = N(y / 2, 1/8)."""

    def forward(self, x: torch.Tensor, t: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        a, s = (c.to(x.dtype).view(-1, 1, 1, 1) for c in SCHEDULE.scales(t))
        mean, variance = given / 2, 0.125
        x0 = mean + a * variance / (a**2 * variance + s**2) * (x - a * mean)
        return (a * x - x0) / s  # the v that means x0


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("join", ["end", "step"])
def test_with_the_exact_network_samples_have_mean_and_variance_of_the_posterior(sampler: str, join: str) -> None:
    """In one patch; ``step`` then changes nothing."""
    model = conditional.Conditional(_Exact(UNET), SCHEDULE, "v", {"size": 32})
    p = problem(40, 1, 32, 32, dtype=torch.float64)
    steps = 500 if sampler == "ddpm" else 200  # the ancestral steps lose variance of order 1 / steps
    with torch.no_grad():
        x = 2 * Sampler(p, model, plan(steps=steps, sampler=sampler, batch=64, join=join)).draw() - 1
    residual = x - (2 * p.y - 1) / 2
    assert float(residual.mean()) == pytest.approx(0, abs=0.01)
    assert float(residual.var()) == pytest.approx(0.125, rel=0.05)


def test_one_step_gives_the_posterior_mean() -> None:
    model = conditional.Conditional(_Exact(UNET), SCHEDULE, "v", {"size": 32})
    p = problem(2, 1, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        x = 2 * Sampler(p, model, plan(steps=1, batch=64)).draw() - 1
    assert torch.allclose(x, (2 * p.y - 1) / 2, atol=0.01)


def test_patches_sampled_with_the_exact_network_agree_where_they_overlap() -> None:
    """They see one field of noise: sampling in patches and in one piece gives the same image."""
    model = conditional.Conditional(_Exact(UNET), SCHEDULE, "v", {"size": 16})
    with torch.no_grad():
        plans = [plan(steps=4, sampler="ddpm", patch=patch, batch=4) for patch in (16, 48)]
        pieces, whole = (Sampler(problem(1, 1, 48, 48, dtype=torch.float64), model, p).draw() for p in plans)
    assert torch.allclose(pieces, whole, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convir", "swinir", "conditional_dm"])
def test_a_picture_of_1280_by_720_is_restored(name: str, weights: dict[str, str]) -> None:
    settings = {"conditional_dm": {"steps": 2, "patch": 64, "batch": 64}}.get(name, {"batch": 8})
    with torch.no_grad():
        x = made(solver_of(name), **settings, weights=weights[name]).solve(problem(1, 1, 720, 1280))
    assert x.shape == (1, 1, 720, 1280)
    assert bool(torch.isfinite(x).all())


def test_wrong_weights_are_refused_and_say_what_is_right(weights: dict[str, str]) -> None:
    p = problem(1, 1, 16, 16)
    with pytest.raises(SettingError, match="are of the network swinir, not convir"):
        made("convir", weights=weights["swinir"]).solve(p)
    with pytest.raises(WeightsError, match="holds the weights of a restorer, not of a conditional"):
        made("conditional_dm", weights=weights["convir"]).solve(p)
    with pytest.raises(WeightsError, match=r"no shipped weights of that name.*photos"):
        made("convir", weights="convyr").solve(p)


def test_settings_out_of_range_are_refused(weights: dict[str, str]) -> None:
    for name in PATCHED:
        with pytest.raises(SettingError, match="at least 1"):
            made(solver_of(name), batch=0)
    with pytest.raises(SettingError, match="overlap must be in"):
        made("convir", patch=16, overlap=16, weights=weights["convir"]).solve(problem(1, 1, 40, 40))


def test_weights_are_loaded_once_per_process(weights: dict[str, str]) -> None:
    assert load_restorer(weights["convir"]) is load_restorer(weights["convir"])
    assert load_conditional(weights["conditional_dm"]).card["size"] == 16
    assert isinstance(load_restorer(weights["swinir"]), restorer.Restorer)


def test_the_harness_runs_them_blind_with_the_hash_of_their_weights_and_as_many_samples_as_asked(
    write_grid, run_grid, weights: dict[str, str]
) -> None:
    grid = write_grid(
        f"convir: {{weights: {weights['convir']}}}",
        f"conditional_dm: {{weights: {weights['conditional_dm']}, steps: 2}}",
        more="samples: 3",
    )
    rows = run_grid(grid).rows
    assert {r["status"] for r in rows} == {"ok"}
    assert all(r["blind"] for r in rows)
    assert {(r["solver"], r["nfe_forward"]) for r in rows} == {("convir", 1), ("conditional_dm", 6)}
    assert {r["weights_sha"] for r in rows} == {sha256(Path(weights[n])) for n in ("convir", "conditional_dm")}
