"""Samplers of colour pictures where the posterior is known: channels that correlate, one blur, white noise."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.verify import gaussian, linear
from bench.verify.oracles.colour import ColourPrior, ColourScene, aligned, skewed
from bench.verify.oracles.gaussian import shake, spectrum, transfer
from bench.verify.oracles.moments import w2
from tests.make_solver import made


@pytest.mark.parametrize("M", [aligned(), skewed()], ids=["aligned", "skewed"])
def test_the_posterior_of_a_colour_scene_is_that_of_dense_linear_algebra(M: torch.Tensor) -> None:
    prior, psf, sigma, n = ColourPrior(M), shake(2.0), 0.2, 8
    scene = ColourScene.make(prior, sigma, size=n, psf=psf)
    basis = torch.eye(n * n, dtype=torch.float64).view(-1, n, n)
    S, K = (
        torch.fft.ifft2(torch.fft.fft2(basis) * k).real.flatten(1).T.contiguous()
        for k in (spectrum((n, n)), transfer(psf, (n, n)))
    )
    C, A = torch.kron(M, S), torch.kron(torch.eye(3, dtype=torch.float64), K)
    gain = C @ A.T @ torch.linalg.inv(A @ C @ A.T + sigma**2 * torch.eye(len(C), dtype=torch.float64))
    assert torch.allclose(prior.back(scene.apart.mean).flatten(), gain @ scene.y.flatten(), atol=1e-10)
    assert float(scene.apart.variance.sum()) == pytest.approx(float((C - gain @ A @ C).trace()), rel=1e-9)
    t = torch.tensor([300.0])
    a, s = (float(v) for v in prior.schedule.scales(t))
    denoised = a * C @ torch.linalg.solve(a**2 * C + s**2 * torch.eye(len(C), dtype=torch.float64), scene.y.flatten())
    assert torch.allclose(prior.x0(scene.y[None], t).flatten(), denoised, atol=1e-10)


def test_sprox_is_the_exact_score_where_opponent_colours_are_independent() -> None:
    score = gaussian.score(
        made("sprox", steps=20, adapt=False, integrator="dpm", photons="mean"), gaussian.COLOUR, 8, 20
    )
    assert score.moments == "affine"
    assert score.identity
    assert score.w2.value < 0.03
    assert score.observed.value == pytest.approx(1, abs=0.05)


def test_correlations_that_opponent_colours_leave_cost_sprox_little() -> None:
    prior = ColourPrior(skewed())
    scene = ColourScene.make(prior, 0.1)
    _, reached = linear.moments(made("sprox", steps=20, adapt=False, integrator="dpm", photons="mean"), prior, scene)
    assert reached is not None
    assert 0.02 < w2(reached, scene.apart).value < 0.1


ALIKE: dict[str, dict[str, Any]] = {
    "diffpir": {"steps": 20},
    "ddrm": {"steps": 20},
    "pnp_hqs": {},
    "pigdm": {"steps": 20},
}


@pytest.mark.parametrize("name", ALIKE)
def test_a_sampler_is_as_far_from_the_posterior_in_colour_as_in_gray(name: str) -> None:
    solver = made(name, **ALIKE[name])
    gray, colour = (gaussian.score(solver, o, 8, 20) for o in (gaussian.ORACLES[0], gaussian.COLOUR))
    assert colour.moments == gray.moments != "samples"
    assert colour.w2.value == pytest.approx(gray.w2.value, rel=0.5, abs=0.1)


def test_pigdm_as_published_passes_the_data_where_images_have_much_power_and_bounded_does_not() -> None:
    """Where S is 80 a step multiplies errors by -13; with r² of the true variance or more none passes the data."""
    published, bounded = (
        gaussian.score(made("pigdm", steps=20, variance=v), gaussian.COLOUR, 8, 20) for v in ("published", "bounded")
    )
    assert published.observed.value > 100
    assert bounded.observed.value < 1
    assert 0.8 < bounded.chi2 / bounded.chi2_exact < 1.25


def test_samples_of_a_colour_scene_are_scored_without_bias() -> None:
    """A sampler that is not affine is drawn from; here DPS, whose χ² at 64 pixels is near that of exact samples."""
    score = gaussian.score(made("dps", steps=100), gaussian.COLOUR, 4, 100)
    assert score.moments == "samples"
    assert score.chi2 / score.chi2_exact < 2
