"""Richardson-Lucy: maximum likelihood, multiplicatively."""

from typing import Any

import pytest
import torch

from bench import SettingError
from bench.imaging.blur import Boundary
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin
from tests.problems import camera, problem, psnr

RichardsonLucy: Any = load_plugin(find_plugin("solver", "richardson_lucy"))


def test_it_conserves_the_light_of_a_circular_measurement():
    data, _ = problem([camera()], sigma=0.0, gain=0.01)
    for steps in (1, 7):
        x = RichardsonLucy(steps=steps).solve(data)
        assert float(x.sum()) == pytest.approx(float(data.y.sum()), rel=1e-10)


@pytest.mark.parametrize("boundary", ["valid", "circular"])
@pytest.mark.parametrize("tv", [0.0, 0.02])
def test_it_is_never_negative(boundary: Boundary, tv: float):
    data, _ = problem([camera()], sigma=0.1, gain=0.05, boundary=boundary)
    assert float(data.y.min()) < 0
    assert float(RichardsonLucy(steps=50, tv=tv).solve(data).min()) >= 0


def test_the_poisson_likelihood_never_falls():
    sigma, gain = 0.01, 0.01
    data, _ = problem([camera()], sigma=sigma, gain=gain)
    b = sigma**2 / gain

    def likelihood(x: torch.Tensor) -> float:
        mean = data.blur.A(x) + b
        return float(((data.y + b).clamp(min=0) * mean.log() - mean).sum())

    history = [likelihood(RichardsonLucy(steps=n).solve(data)) for n in (1, 2, 3, 5, 8, 13, 21, 34)]
    assert history == sorted(history)


def test_it_needs_no_padding_where_the_scene_reaches_beyond_the_sensor():
    data, truth = problem([camera(96)], sigma=0.0, gain=1e-5, boundary="valid")
    # The same data taken for circular: the seam rings.
    ringing = Problem(y=data.y, blur=_circular(data), noise=data.noise, rng=data.rng)
    solver = RichardsonLucy(steps=40)
    assert psnr(solver.solve(data), truth) > psnr(solver.solve(ringing), truth) + 2


def _circular(data: Problem):
    return type(data.blur)(data.psf, data.blur.shape, "circular")


def test_total_variation_holds_the_noise_back():
    data, truth = problem([camera()], sigma=4 / 255)
    plain, held = (RichardsonLucy(steps=200, tv=tv).solve(data) for tv in (0.0, 0.02))
    assert psnr(held, truth) > psnr(plain, truth) + 2


def test_dominant_read_noise_does_not_freeze_it():
    data, truth = problem([camera()], sigma=2 / 255, gain=1e-6)
    assert psnr(RichardsonLucy().solve(data), truth) > psnr(data.y, truth) + 2


def test_no_iteration_leaves_the_measurement():
    data, _ = problem([camera()], boundary="valid")
    assert torch.equal(RichardsonLucy(steps=0).solve(data), data.y)
    with pytest.raises(SettingError, match="at least 0"):
        RichardsonLucy(steps=-1)


@pytest.mark.parametrize("tv", [-0.1, 0.25])
def test_a_tv_weight_that_could_divide_by_zero_is_refused(tv: float):
    with pytest.raises(SettingError, match=r"less than 0\.25"):
        RichardsonLucy(tv=tv)
