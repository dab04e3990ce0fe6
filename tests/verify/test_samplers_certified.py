"""The samplers of the registry where the exact posterior is known, against stated tolerances.

W₂ is over the root of the MMSE, on the Gaussian oracle with noise of 0.1 in [-1, 1] units.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.methods.problem import Solver
from bench.plugins.lookup import built_in, find_plugin
from bench.verify import invariances, linear, mixture, runs
from bench.verify.examine import examine
from bench.verify.oracles import moments
from bench.verify.oracles.gaussian import GaussianPrior, Scene
from bench.verify.oracles.mixture import MixturePrior
from bench.verify.oracles.moments import Moments
from tests.make_solver import made

PRIOR, SCENE = GaussianPrior(), Scene.make(GaussianPrior(), 0.1)

#: Every solver that takes the prior and deblurs, with settings that make it quick here.
SAMPLERS = [p for p in built_in("solver") if p.flags.get("needs_prior")]
NAMES = [p.name for p in SAMPLERS if not p.name.endswith("_denoise")]
#: Solvers that change with the units of the problem: DPS by its rule, PnP-HQS as its last denoiser has σ_y.
OF_ONE_UNIT = {"sprox": True, "diffpir": True, "pigdm": True, "ddrm": True, "reddiff": True}


def short(name: str, steps: int = 6) -> Solver:
    return made(name, **({"steps": steps} if "steps" in find_plugin("solver", name).parameters else {}))


def exact(name: str, **settings: Any) -> Moments:
    how, linear_moments = linear.moments(made(name, **settings), PRIOR, SCENE)
    assert how != "samples"
    assert linear_moments is not None
    return linear_moments


def sampled(name: str, n: int, **settings: Any) -> Moments:
    y, rngs = SCENE.y.expand(n, -1, -1), runs.generators(n)
    return Moments.of(runs.draw(made(name, **settings), PRIOR, y, SCENE.psf, SCENE.sigma, rngs))


# --- every sampler --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_estimate_does_not_depend_on_its_batch(name: str) -> None:
    check = invariances.batch(short(name), PRIOR)
    assert check.outcome == "pass", check.text


@pytest.mark.parametrize("name", [n for n in NAMES if n in OF_ONE_UNIT])
def test_an_estimate_does_not_depend_on_the_units_of_the_problem(name: str) -> None:
    check = invariances.units(short(name), PRIOR)
    assert check.outcome == "pass", check.text


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("deepinv_")])
def test_our_samplers_have_a_grade_at_the_main_noise_level(name: str) -> None:
    certificate = examine(name, quick=True, kind="point" if name in POINTS else None)
    assert certificate.grade != "F" or name in KNOWN, certificate.faults


#: Solvers that draw random numbers on the way to one point.
POINTS = {"reddiff"}
#: Samplers that are in the registry because they are published, and fail: the certificate says so.
KNOWN = {"adjoint_ddim", "ddrm", "daps"}


# --- sprox ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "limit"), [(10, 0.035), (20, 0.03), (50, 0.01)])
def test_sprox_is_near_exact_in_few_evaluations(steps: int, limit: float) -> None:
    reached = exact("sprox", steps=steps, integrator="dpm", adapt=False)
    assert moments.w2(reached, SCENE).value < limit
    assert abs(moments.bias2(reached, SCENE).value) < 1e-3


def test_ancestral_sprox_is_the_exact_sampler_of_as_many_steps() -> None:
    from bench.verify.oracles.exact import moments as ideal

    reached = exact("sprox", steps=20, eta=1.0, adapt=False)
    expected = ideal(SCENE, PRIOR.schedule, 20, "ancestral", "logsnr")
    assert torch.allclose(reached.mean, expected.mean, atol=1e-9)
    assert torch.allclose(reached.variance, expected.variance, atol=1e-9)


def test_sprox_by_ddim_converges_to_the_posterior() -> None:
    errors = [moments.w2(exact("sprox", steps=n, eta=0.0, adapt=False), SCENE).value for n in (15, 30, 60)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.2)  # of first order
    assert errors[2] == pytest.approx(errors[1] / 2, rel=0.2)


@pytest.mark.slow
def test_sprox_by_ddim_is_within_one_per_cent_in_1000_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    # The chain draws in every step but uses the first draw only, so that the exact moments need two images.
    monkeypatch.setattr(linear, "MOST", 1000)
    solver = made("sprox", steps=1000, eta=0.0, adapt=False)
    y = SCENE.y.expand(2, -1, -1)
    import numpy as np

    rngs = [linear.Scripted(0, 0 * np.ones((1, 1))), linear.Scripted(0, np.ones((1, 1)))]
    quiet, kicked = runs.draw(solver, PRIOR, y, SCENE.psf, SCENE.sigma, rngs)
    reached = Moments(quiet, torch.fft.fft2(kicked - quiet).abs() ** 2)
    assert moments.w2(reached, SCENE).value < 0.01


def test_a_warm_start_costs_sprox_little() -> None:
    assert moments.w2(exact("sprox", steps=10, warm=1.0, integrator="dpm", adapt=False), SCENE).value < 0.1


@pytest.mark.slow
def test_sprox_on_the_mixture_is_scored_close_to_exact_samples() -> None:
    scores = mixture.score(made("sprox"), MixturePrior(), patches=4)
    assert scores.crps < 1.15 * scores.crps_exact
    assert 0.8 < scores.chi2 < 1.25


# --- the others -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_diffpir_in_consistent_units_is_close_to_the_posterior() -> None:
    reached = exact("diffpir", lam=1.75, zeta=0.3, steps=100)
    assert moments.w2(reached, SCENE).value < 0.12
    assert 0.8 < moments.chi2(reached, SCENE) < 1.25


@pytest.mark.slow
def test_the_published_lambda_of_diffpir_is_wrong_in_consistent_units() -> None:
    reached = exact("diffpir", lam=7.0, zeta=0.3, steps=100)
    assert moments.w2(reached, SCENE).value > 0.3


def test_pigdm_is_close_to_the_posterior_in_few_steps_already() -> None:
    reached = exact("pigdm", steps=40)
    assert moments.w2(reached, SCENE).value < 0.3
    assert 0.8 < moments.chi2(reached, SCENE) < 1.25


@pytest.mark.slow
def test_pigdm_is_within_nine_per_cent_in_1000_steps() -> None:
    reached = moments.w2(sampled("pigdm", 64, steps=1000), SCENE)
    assert reached.value - reached.error < 0.09


@pytest.mark.slow
def test_the_step_of_dps_suits_every_size() -> None:
    check = invariances.size(made("dps", steps=200), PRIOR)
    assert check.value < 1.15, check.text


@pytest.mark.slow
def test_red_diff_finds_one_point_from_every_start() -> None:
    plugin = find_plugin("solver", "reddiff")
    (check,) = invariances.start(plugin, {}, lambda given: made("reddiff", **given), PRIOR)
    assert check.value < 1e-3, check.text


@pytest.mark.slow
def test_red_diff_is_a_point_estimate_near_the_posterior_mean() -> None:
    reached = sampled("reddiff", 8, lam=1.0)
    assert moments.bias2(reached, SCENE).value < 0.1
    everywhere = torch.ones_like(SCENE.observed)
    assert moments.ratio(reached, SCENE, everywhere).value < 0.3


def test_pnp_hqs_with_the_weight_of_bayes_is_the_posterior_mean() -> None:
    reached = exact("pnp_hqs", steps=30, lam=1.0, last=0.3)
    assert moments.bias2(reached, SCENE).value < 5e-3


@pytest.mark.slow
@pytest.mark.skipif("deepinv_dps" not in NAMES, reason="deepinv_dps is not in the registry")
def test_the_dps_of_deepinv_fails_at_its_defaults() -> None:
    assert examine("deepinv_dps", quick=True).grade == "F"
