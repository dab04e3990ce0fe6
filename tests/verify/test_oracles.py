"""The oracles against dense linear algebra, quadrature and draws; the scores against samples of known quality."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.diffusion.levels import at_sigma
from bench.methods.diffusion.task import Task
from bench.scoring.posterior import crps
from bench.verify import runs
from bench.verify.mixture import marked
from bench.verify.oracles import exact, moments
from bench.verify.oracles.gaussian import GaussianPrior, Scene, shake, spectrum, transfer
from bench.verify.oracles.mixture import SIDE, Mixture, MixturePrior, PatchScene, blur_matrix
from bench.verify.oracles.moments import Moments
from tests.make_solver import made

PRIOR = GaussianPrior()


def posterior_samples(scene: Scene, n: int, seed: int = 0) -> Tensor:
    white = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, *scene.shape)))
    return scene.mean + torch.fft.ifft2(torch.fft.fft2(white) * scene.variance.sqrt()).real


# --- the Gaussian oracle --------------------------------------------------------------------------------------


def test_images_of_the_gaussian_prior_have_its_spectrum_and_a_pixel_variance_of_a_quarter() -> None:
    rng = np.random.default_rng(0)
    x = torch.stack([PRIOR.draw((32, 32), rng) for _ in range(400)])
    assert float(spectrum((32, 32)).mean()) == pytest.approx(0.25)
    power = (torch.fft.fft2(x).abs() ** 2).mean(0) / 32**2 / spectrum((32, 32))
    assert float(power.mean()) == pytest.approx(1, abs=0.01)
    assert float(power.std()) < 0.1


def test_the_gaussian_posterior_is_that_of_dense_linear_algebra() -> None:
    prior, psf, sigma = GaussianPrior(), shake(3.0), 0.2
    S, K = spectrum((8, 8)), transfer(psf, (8, 8))
    y = torch.from_numpy(np.random.default_rng(1).standard_normal((8, 8)))
    scene = Scene(psf, sigma, y, y)
    basis = torch.eye(64, dtype=torch.float64).view(64, 8, 8)
    C = torch.fft.ifft2(torch.fft.fft2(basis) * S).real.view(64, 64)
    A = torch.fft.ifft2(torch.fft.fft2(basis) * K).real.view(64, 64).T
    gain = C @ A.T @ torch.linalg.inv(A @ C @ A.T + sigma**2 * torch.eye(64, dtype=torch.float64))
    assert torch.allclose(scene.mean.flatten(), gain @ y.flatten(), atol=1e-10)
    covariance = C - gain @ A @ C
    assert float(scene.variance.mean()) == pytest.approx(float(covariance.diagonal().mean()), rel=1e-9)
    power = torch.fft.ifft2(torch.fft.fft2(basis) * scene.variance).real.view(64, 64)
    assert torch.allclose(power, covariance, atol=1e-10)
    denoised = prior.x0(y.view(1, 1, 8, 8), torch.tensor([300.0]))
    a, s = (float(v) for v in prior.schedule.scales(torch.tensor(300.0)))
    expected = a * C @ torch.linalg.solve(a**2 * C + s**2 * torch.eye(64, dtype=torch.float64), y.flatten())
    assert torch.allclose(denoised.flatten(), expected, atol=1e-10)


def test_the_error_of_the_gaussian_denoiser_is_what_it_says() -> None:
    rng, sigma = np.random.default_rng(0), 0.3
    x = torch.stack([PRIOR.draw((16, 16), rng) for _ in range(2000)])[:, None]
    at = at_sigma(PRIOR.schedule, sigma)
    noisy = at.a * (x + sigma * torch.from_numpy(rng.standard_normal(x.shape)))
    error = x - PRIOR.x0(noisy, torch.full((len(x),), at.t, dtype=torch.float64))
    power = (torch.fft.rfft2(error).abs() ** 2).mean((0, 1)) / 256
    assert torch.allclose(power / PRIOR.error_power(sigma, (16, 16), x), torch.ones(16, 9).double(), atol=0.2)


# --- the exact sampler ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("integrator", "spacing", "n", "low", "high"),
    [
        ("ddim", "uniform", 1000, 0.004, 0.01),
        ("dpm", "logsnr", 20, 0.005, 0.03),
        ("ancestral", "uniform", 1000, 0.01, 0.02),
        ("ancestral", "uniform", 20, 0.25, 0.4),
    ],
)
def test_the_exact_score_comes_as_close_as_its_number_of_steps_allows(
    integrator: exact.Integrator, spacing: exact.Spacing, n: int, low: float, high: float
) -> None:
    scene = Scene.make(PRIOR, 0.1)
    distance = moments.w2(exact.moments(scene, PRIOR.schedule, n, integrator, spacing), scene)
    assert distance.error == 0
    assert low < distance.value < high


def test_the_corrected_denoiser_of_a_sampler_is_the_exact_conditional_one() -> None:
    """TMPD with the prior's own covariance: x̂_0 + C Aᵀ (A C Aᵀ + Σ)⁻¹ (y - A x̂_0) = E[x_0 | x_t, y]."""
    scene, now = Scene.make(PRIOR, 0.1), at_sigma(PRIOR.schedule, 0.7)
    task = Task(runs.problem(made("sprox"), PRIOR, scene.y[None], scene.psf, 0.1, runs.generators(1)))
    x = task.noise()
    x0 = task.x0(x, now)
    shift, _ = task.shift(task.y - task.A(x0), task.prior.error_power(now.sigma, task.shape, task.y))
    gain, offset = exact.denoiser(scene, now)
    expected = torch.fft.ifft2(gain * torch.fft.fft2(x[0, 0]) + offset).real
    assert torch.allclose((x0 + shift)[0, 0], expected, atol=1e-6)


# --- the scores -----------------------------------------------------------------------------------------------


def test_exact_samples_score_zero_on_average_however_few() -> None:
    scene = Scene.make(PRIOR, 0.1, size=32)
    runs = [Moments.of(posterior_samples(scene, 4, i)) for i in range(60)]
    for score in (moments.w2_squared, moments.bias2):
        values = torch.tensor([score(m, scene).value for m in runs])
        assert abs(values.mean()) < 3 * values.std() / math.sqrt(60)
        assert float(values.std()) == pytest.approx(float(np.mean([score(m, scene).error for m in runs])), rel=0.35)


def test_scores_of_samples_with_a_known_fault_are_that_fault() -> None:
    scene = Scene.make(PRIOR, 0.1)
    tr = float(scene.variance.sum())
    off = PRIOR.draw((64, 64), np.random.default_rng(5)) * 0.1
    x = scene.mean + off + 1.3 * (posterior_samples(scene, 64) - scene.mean)
    sampled, shifted = Moments.of(x), float((off**2).sum()) / tr
    assert moments.bias2(sampled, scene).value == pytest.approx(shifted, rel=0.1)
    assert moments.ratio(sampled, scene, scene.observed).value == pytest.approx(1.69, rel=0.05)
    assert moments.w2(sampled, scene).value == pytest.approx(math.sqrt(shifted + 0.09), rel=0.05)


def test_the_posterior_mean_as_a_point_estimate_scores_one() -> None:
    scene = Scene.make(PRIOR, 0.1)
    point = Moments(scene.mean, torch.zeros(scene.shape, dtype=torch.float64))
    assert moments.w2(point, scene).value == pytest.approx(1)
    assert moments.crps(point, scene) == pytest.approx(float((scene.truth - scene.mean).abs().mean()))


def test_chi2_and_crps_from_moments_are_those_of_samples() -> None:
    scene = Scene.make(PRIOR, 0.1)
    x, ideal = posterior_samples(scene, 64), Moments(scene.mean, scene.variance)
    residual = scene.y - torch.fft.ifft2(torch.fft.fft2(x) * scene.K).real
    assert moments.chi2(Moments.of(x), scene) == pytest.approx(float((residual**2).mean()) / 0.01, rel=1e-9)
    assert moments.chi2(ideal, scene) == pytest.approx(float((residual**2).mean()) / 0.01, rel=0.01)
    assert moments.crps(ideal, scene) == pytest.approx(crps(scene.truth.numpy(), x.numpy()), rel=0.02)


def test_the_correction_of_a_standard_deviation_is_the_textbooks() -> None:
    factors = moments.c4(torch.tensor([1.0, 4.0, math.inf], dtype=torch.float64))
    assert factors.tolist() == pytest.approx([math.sqrt(2 / math.pi), 0.9399856, 1.0], rel=1e-6)


# --- the mixture ----------------------------------------------------------------------------------------------


def two() -> Mixture:
    """Two components on a line."""
    weights, means = torch.tensor([0.3, 0.7]).double().log(), torch.tensor([[-1.0], [0.5]]).double()
    return Mixture.of(weights, means, torch.tensor([[[0.04]], [[0.25]]]).double())


def density(m: Mixture, x: Tensor) -> Tensor:
    each = torch.exp(-((x[:, None] - m.means[:, 0]) ** 2) / (2 * m.values[:, 0])) / m.values[:, 0].sqrt()
    return (m.log_weights.exp() * each).sum(1) / math.sqrt(2 * math.pi)


def test_denoiser_and_posterior_of_a_mixture_are_those_of_quadrature() -> None:
    m, x, y, k, sigma = two(), torch.linspace(-6, 6, 40001, dtype=torch.float64), 0.1, 0.8, 0.5
    weight = density(m, x) * torch.exp(-((y - k * x) ** 2) / (2 * sigma**2))
    mean = float((weight * x).sum() / weight.sum())
    variance = float((weight * x**2).sum() / weight.sum()) - mean**2
    given = m.given(torch.tensor([y]).double(), torch.tensor([[k]]).double(), sigma)
    assert float(given.mean()) == pytest.approx(mean, abs=1e-8)
    assert float(given.variance()) == pytest.approx(variance, abs=1e-8)
    assert float(m.denoise(torch.tensor([[y]]).double(), k, sigma)) == pytest.approx(mean, abs=1e-8)


def test_draws_of_a_mixture_have_its_mean_and_variance() -> None:
    x = two().draw(100_000, np.random.default_rng(0))
    assert float(x.mean()) == pytest.approx(float(two().mean()), abs=0.01)
    assert float(x.var()) == pytest.approx(float(two().variance()), rel=0.02)


@cache
def patches() -> list[PatchScene]:
    return [PatchScene.make(MixturePrior().mixture, shake(8.0), 0.1, i) for i in range(4)]


def test_exact_samples_of_the_mixture_oracle_are_marked_as_such() -> None:
    draws = [s.posterior.draw(32, np.random.default_rng(i)) for i, s in enumerate(patches())]
    score = marked(patches(), torch.stack(draws).view(4, 32, SIDE, SIDE))
    assert abs(score.bias2) < 0.05
    assert score.variance == pytest.approx(1, abs=0.1)
    assert score.mse == pytest.approx(2, abs=0.12)
    assert score.chi2 == pytest.approx(1, abs=0.12)
    assert score.crps == pytest.approx(score.crps_exact, rel=0.03)
    assert score.w2.value < 0.1
    assert (score.coverage_90, score.coverage_90_blocks) == pytest.approx((0.9, 0.9), abs=0.02)


def test_a_shrunken_or_shifted_sample_of_the_mixture_has_the_distance_that_this_moves_it() -> None:
    draws = torch.stack([s.posterior.draw(64, np.random.default_rng(i)) for i, s in enumerate(patches())])
    centres = torch.stack([s.posterior.mean() for s in patches()])[:, None]
    half = marked(patches(), (centres + 0.5 * (draws - centres)).view(4, 64, SIDE, SIDE))
    assert half.w2.value == pytest.approx(0.5, abs=0.05)
    assert half.variance == pytest.approx(0.25, abs=0.03)
    assert half.coverage_90 < 0.7


def test_posteriors_of_the_mixture_oracle_are_no_gaussians() -> None:
    assert min(float(s.posterior.log_weights.exp().max()) for s in patches()) < 0.5


def test_the_blur_of_a_patch_is_a_matrix() -> None:
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((SIDE, SIDE)))
    scene = PatchScene(shake(8.0), 0.1, x, x, two())
    assert torch.allclose((blur_matrix(scene.psf) @ x.flatten()).view(SIDE, SIDE), scene.blurred(x), atol=1e-12)


def test_the_error_spectrum_of_the_mixture_never_exceeds_the_noise_by_more_than_chance() -> None:
    prior, like = MixturePrior(), torch.zeros(1, dtype=torch.float64)
    pairs = torch.tensor([1.0, *[2.0] * 7, 1.0]) / SIDE
    spectra = [prior.error_power(s, (SIDE, SIDE), like) for s in (0.03, 0.1, 0.5, 3.0, math.inf)]
    powers = [float((C * pairs).sum(1).mean()) for C in spectra]
    assert powers == sorted(powers)
    assert powers[0] < 0.03**2
    assert powers[-1] == pytest.approx(float(prior.mixture.variance().mean()), rel=0.2)
