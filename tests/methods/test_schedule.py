"""Noise schedules against their closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import SettingError
from bench.methods.diffusion.schedule import Schedule, cosine_betas, linear_betas

LINEAR = Schedule.make("linear")
COSINE = Schedule.make("cosine")


def test_the_linear_schedule_multiplies_one_minus_the_betas_of_ho_et_al():
    product = 1.0
    for i in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999)
        assert float(LINEAR.alphas_cumprod[i]) == pytest.approx(product, rel=1e-12)


def test_the_cosine_schedule_has_the_closed_form_of_nichol_and_dhariwal_until_the_cap_on_beta():
    def f(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    for i in (0, 10, 500, 900, 990):
        assert float(COSINE.alphas_cumprod[i]) == pytest.approx(f((i + 1) / 1000) / f(0), rel=1e-9)
    assert float(cosine_betas(1000).max()) == 0.999


@pytest.mark.parametrize("schedule", [LINEAR, COSINE])
def test_sigma_grows_with_every_step(schedule: Schedule):
    assert bool((schedule.log_sigmas.diff() > 0).all())


@given(st.floats(0, 999))
def test_time_inverts_sigma_between_the_steps_too(t: float):
    at = torch.tensor([t], dtype=torch.float64)
    for schedule in (LINEAR, COSINE):
        assert float(schedule.time(schedule.sigma(at))) == pytest.approx(t, abs=1e-7)


def test_levels_beyond_the_schedule_are_clamped_to_its_ends():
    assert LINEAR.time(torch.tensor([1e-9, 1e9])).tolist() == [0, 999]
    assert torch.equal(LINEAR.sigma(torch.tensor([-5.0, 2000.0])), LINEAR.log_sigmas[[0, -1]].exp())


def test_at_integer_steps_the_continuous_view_is_the_discrete_one():
    t = torch.arange(1000)
    a, s = LINEAR.scales(t)
    assert torch.allclose(a**2, LINEAR.alphas_cumprod, rtol=1e-12)
    assert torch.allclose(s**2, 1 - LINEAR.alphas_cumprod, rtol=1e-9)


def test_signal_and_noise_power_sum_to_one_at_real_steps():
    a, s = COSINE.scales(torch.linspace(0, 999, 777))
    assert torch.allclose(a**2 + s**2, torch.ones(777, dtype=torch.float64), rtol=1e-14)


def test_beta_of_the_vp_sde_is_minus_the_slope_of_log_alpha_bar():
    t = torch.rand(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 998 + 0.5
    t = t[(t - t.round()).abs() > 0.01]
    h = 1e-4
    log_abar = lambda t: 2 * LINEAR.scales(t)[0].log()  # noqa: E731 - a formula
    slope = (log_abar(t + h) - log_abar(t - h)) / (2 * h)
    assert torch.allclose(LINEAR.beta(t), -slope, rtol=1e-5)


def test_fewer_linear_steps_reach_about_the_same_noise():
    assert float(linear_betas(250).sum()) == pytest.approx(float(linear_betas(1000).sum()), rel=1e-6)


def test_a_schedule_of_one_step_is_refused():
    with pytest.raises(SettingError, match="at least 2"):
        Schedule.make("linear", 1)
