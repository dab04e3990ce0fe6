"""Total variation under the Poisson likelihood."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench import SettingError
from bench.methods.classical.optim import noise_variance, tv_weight
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin
from tests.problems import camera, problem, psnr, total_variation

TV: Any = load_plugin(find_plugin("solver", "tv"))
TVKL: Any = load_plugin(find_plugin("solver", "tv_kl"))


def objective(x: Tensor, data: Problem, lam: float) -> float:
    """-V log p of the shifted Poisson, up to a constant, + weight TV."""
    gain, sigma = (float(level) for level in data.noise)
    b = sigma**2 / gain
    mean = data.blur.A(x) + b
    misfit = (mean - (data.y + b).clamp(min=0) * mean.log()).sum() / gain
    return float(noise_variance(data) * misfit + tv_weight(data, lam) * total_variation(x))


def test_nothing_near_its_solution_has_a_lower_objective():
    data, _ = problem([camera(48)], sigma=0.01, gain=0.02)
    x = TVKL(steps=1500).solve(data)
    least = objective(x, data, TVKL().lam)
    for seed in range(20):
        direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))
        for step in (1e-4, -1e-4, 1e-3, -1e-3):
            assert objective((x + step * direction).clamp(min=0), data, TVKL().lam) > least


@pytest.mark.parametrize("gain", [0.0, 1e-7])
def test_with_many_photons_it_is_the_least_squares_solver(gain: float):
    data, _ = problem([0.2 + 0.6 * camera(40)], gain=gain)
    kl, l2 = TVKL(steps=800).solve(data), TV(steps=800).solve(data)
    torch.testing.assert_close(kl, l2, rtol=0, atol=2e-3)


def test_with_few_photons_it_beats_least_squares():
    data, truth = problem([camera(), camera().transpose(0, 2, 1)], sigma=0.0, gain=1 / 20)
    lams = (0.33, 0.65, 1.3)
    kl, l2 = (max(psnr(solver(lam=lam).solve(data), truth) for lam in lams) for solver in (TVKL, TV))
    assert kl > l2 + 0.1


def test_it_is_never_far_below_black():
    data, _ = problem([camera()], sigma=0.0, gain=1 / 20, boundary="valid")
    assert float(TVKL(steps=1000).solve(data).min()) > -1e-3


@pytest.mark.parametrize("wrong", [{"lam": -1.0}, {"steps": 0}])
def test_settings_without_a_meaning_are_refused(wrong: dict):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        TVKL(**wrong)
