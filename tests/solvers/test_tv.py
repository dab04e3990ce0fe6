"""Total variation, by ADMM and by FISTA."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench import SettingError
from bench.contracts import NoiseLevel
from bench.imaging.blur import Blur
from bench.methods.classical.optim import tv_weight
from bench.methods.classical.padding import Padding, crop, pad, sides_for
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin
from tests.problems import camera, problem, psnr, shake, total_variation

TV: Any = load_plugin(find_plugin("solver", "tv"))
TVFista: Any = load_plugin(find_plugin("solver", "tv_fista"))


def objective(x: Tensor, data: Problem, lam: float) -> Tensor:
    fit = (data.blur.A(x) - data.y).square().sum((1, 2, 3)) / 2
    return fit + tv_weight(data, lam).flatten() * total_variation(x)


@pytest.mark.parametrize("lam", [0.3, 1.5])
def test_admm_and_fista_reach_the_same_objective(lam: float):
    data, _ = problem([camera(32), 1 - camera(32)], gain=0.001)
    admm = objective(TV(lam=lam, steps=300).solve(data), data, lam)
    fista = objective(TVFista(lam=lam, steps=200, inner=8).solve(data), data, lam)
    torch.testing.assert_close(admm, fista, rtol=1e-4, atol=0)


def test_nothing_near_the_admm_solution_has_a_lower_objective():
    data, _ = problem([camera(48)])
    x = TV(steps=2000).solve(data)
    least = objective(x, data, TV().lam)
    for seed in range(20):
        direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))
        for step in (1e-4, -1e-4, 1e-3, -1e-3):
            assert objective(x + step * direction, data, TV().lam) > least


@pytest.mark.parametrize("boundary", ["valid", "circular"])
def test_the_default_number_of_steps_has_converged(boundary):
    for sigma in (1 / 255, 4 / 255):
        data, truth = problem([camera(128)], shake(15), sigma=sigma, boundary=boundary, dtype=torch.float32)
        default, long = (psnr(TV(steps=steps).solve(data), truth, 8) for steps in (None, 1000))
        assert default == pytest.approx(long, abs=0.1)


def test_without_noise_the_default_number_of_steps_has_converged_too():
    data, truth = problem([camera()], shake(15), sigma=0.0, boundary="valid", dtype=torch.float32)
    default, long = (psnr(TV(steps=steps).solve(data), truth, 8) for steps in (None, 3000))
    assert default == pytest.approx(long, abs=0.1)


def test_a_noisy_image_is_solved_alike_beside_one_without_noise():
    both, _ = problem([camera(), camera()], boundary="valid")
    sigma = torch.tensor([0.0, 2 / 255], dtype=torch.float64)
    mixed = both.replace(noise=NoiseLevel(torch.zeros(2, dtype=torch.float64), sigma))
    torch.testing.assert_close(TV().solve(mixed)[1], TV().solve(both)[1], rtol=0, atol=1e-12)


def test_on_valid_data_the_unknown_boundary_beats_every_padding_by_a_decibel():
    data, truth = problem([camera(128)], shake(31), boundary="valid", dtype=torch.float32)
    blur = data.blur

    def padded(mode: Padding, lam: float) -> float:
        sides = sides_for(blur.shape, (31, 31), mode)
        y = pad(data.y, sides, mode)
        periodic = Blur(data.psf, (y.shape[-2], y.shape[-1]), "circular")
        return psnr(crop(TV(lam=lam, steps=30).solve(Problem(y, periodic, data.noise, data.rng)), sides), truth)

    modes: tuple[Padding, ...] = ("none", "zero", "mean", "edge", "reflect", "blend")
    best = max(padded(mode, lam) for mode in modes for lam in (0.35, 0.65, 1.3, 2.6))
    assert psnr(TV().solve(data), truth) > best + 1


def test_on_valid_data_admm_and_fista_see_the_same_scene():
    # Their scenes end differently (periodic and free), so that only the middle is the same estimate.
    data, _ = problem([camera(96)], shake(9), boundary="valid")
    admm, fista = TV(steps=1000).solve(data), TVFista(steps=600, inner=10).solve(data)
    middle = (..., slice(24, -24), slice(24, -24))
    assert float((admm - fista)[middle].abs().max()) < 0.02


def test_bounds_hold_pixels_within_black_and_white():
    data, _ = problem([(camera() > 0.4).astype(float)], sigma=8 / 255)
    free, held = (TVFista(lam=0.05, steps=40, bounds=bounds).solve(data) for bounds in (False, True))
    assert float(free.max()) > 1
    assert 0 <= float(held.min()) <= float(held.max()) <= 1


def test_one_weight_suits_every_noise_level():
    for sigma in (0.5 / 255, 2 / 255, 8 / 255, 20 / 255):
        data, truth = problem([camera(128)], shake(15), sigma=sigma, dtype=torch.float32)
        quality = [psnr(TV(lam=lam).solve(data), truth) for lam in (0.08, 0.16, 0.33, 0.65, 1.3, 2.6, 5.2)]
        assert quality[3] > max(quality) - 0.4


@pytest.mark.parametrize("wrong", [{"lam": 0.0}, {"steps": 0}])
def test_settings_without_a_meaning_are_refused(wrong: dict):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        TV(**wrong)
