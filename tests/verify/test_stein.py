"""The Stein discrepancy of samples, where the posterior is known: a Gaussian prior with its exact denoiser."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import SettingError
from bench.plugins.lookup import find_plugin, load_plugin
from bench.verify import stein
from bench.verify.examine import examine
from bench.verify.oracles.gaussian import GaussianPrior, Scene
from bench.verify.stein import Measured

PRIOR = GaussianPrior()
SAMPLES = 32


def scene(index: int) -> tuple[Scene, Measured]:
    given = Scene.make(PRIOR, 0.1, index=index)
    return given, Measured(given.y, given.psf, given.sigma)


def drawn(given: Scene, index: int, variance: float = 1.0) -> Tensor:
    """Samples with the posterior's mean and ``variance`` times its variance."""
    white = torch.randn(SAMPLES, *given.shape, generator=torch.Generator().manual_seed(index), dtype=torch.float64)
    return given.mean + torch.fft.ifft2(torch.fft.fft2(white) * (variance * given.variance).sqrt()).real


def scores_at(variance: float, scenes: int) -> list[stein.Score]:
    """Of samples whose variance is ``variance`` times the posterior's."""
    given = [scene(i) for i in range(scenes)]
    return [stein.of_samples(drawn(s, i, variance), m, PRIOR) for i, (s, m) in enumerate(given)]


def test_exact_samples_have_no_discrepancy_and_are_rejected_no_more_often_than_the_level_says() -> None:
    scores = scores_at(1.0, 24)
    values = np.array([s.ksd2 for s in scores])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    assert sum(s.p < 0.05 for s in scores) <= 4
    assert np.mean([b.variance for s in scores for b in s.bands]) == pytest.approx(1, abs=0.03)
    assert np.mean([b.bias2 for s in scores for b in s.bands]) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("variance", [0.5, 1.6])
def test_a_sampler_of_the_wrong_variance_is_rejected_and_the_variance_told(variance: float) -> None:
    scores = scores_at(variance, 6)
    assert all(s.p < 0.02 for s in scores)
    finest = [s.bands[-1].variance for s in scores]
    assert np.mean(finest) == pytest.approx(variance, rel=0.1)


def test_a_sampler_that_repeats_the_mean_of_two_draws_is_rejected() -> None:
    given, measured = scene(3)
    twice = (drawn(given, 1) + drawn(given, 2)) / 2
    assert stein.of_samples(twice, measured, PRIOR).p < 0.01


def test_samples_of_the_prior_in_place_of_the_posterior_are_rejected() -> None:
    _, measured = scene(4)
    rng = np.random.default_rng(0)
    x = torch.stack([PRIOR.draw((64, 64), rng) for _ in range(SAMPLES)])
    assert stein.of_samples(x, measured, PRIOR).p < 0.01


def test_a_wrong_mean_shows_in_its_band() -> None:
    given, measured = scene(5)
    f = stein.frequencies(given.shape, *stein.BANDS[1])[0]
    wave = torch.cos(
        2 * torch.pi * (torch.stack(torch.meshgrid(*[torch.arange(64)] * 2, indexing="ij"), -1) @ f) / 64
    )
    right, wrong = (stein.of_samples(drawn(given, 5) + a * wave, measured, PRIOR) for a in (0.0, 0.1))
    more = [b.bias2 - a.bias2 for a, b in zip(right.bands, wrong.bands, strict=True)]
    assert more[1] > 0.1
    assert [m for i, m in enumerate(more) if i != 1] == pytest.approx([0, 0, 0], abs=1e-6)


def test_the_score_is_that_of_the_noisy_posterior() -> None:
    given, measured = scene(6)
    sigma = stein.PART * given.sigma
    x = drawn(given, 6) + sigma * torch.randn(SAMPLES, 64, 64, dtype=torch.float64)
    exact = torch.fft.ifft2(torch.fft.fft2(given.mean - x) / (given.variance + sigma**2)).real
    mine = stein.posterior_score(x, measured, PRIOR, sigma)
    for low, high in stein.BANDS:
        at = stein.frequencies(given.shape, low, high)
        a, b = stein.coefficients(exact, at), stein.coefficients(mine, at)
        assert ((a - b).norm() / a.norm()).item() < 0.02


def test_the_stein_kernel_is_what_differentiating_the_base_kernel_gives() -> None:
    u = torch.tensor([[0.3], [1.1], [-0.7], [2.0]], dtype=torch.float64)
    s, h = torch.tensor([[0.5], [-1.0], [0.2], [0.9]], dtype=torch.float64), float(u.std(0))

    def k(a: Tensor, b: Tensor) -> Tensor:
        return (1 + ((a - b) / h) ** 2) ** -0.5

    made = stein.stein_kernel(u, s)
    for i in range(4):
        for j in range(4):
            a, b = (u[n, 0].clone().requires_grad_() for n in (i, j))
            (da,) = torch.autograd.grad(k(a, b), a, create_graph=True)
            (db,) = torch.autograd.grad(k(a, b), b, create_graph=True)
            (dadb,) = torch.autograd.grad(da, b)
            expected = s[i, 0] * s[j, 0] * k(a, b) + s[i, 0] * db + s[j, 0] * da + dadb
            assert float(made[i, j]) == pytest.approx(float(expected.detach()) * h**2, rel=1e-9)


def test_coefficients_keep_the_energy_and_modes_are_one_of_each_pair() -> None:
    at = stein.frequencies((64, 64), 1.0, 2.0)
    assert sorted(at.tolist()) == [[0, 1], [1, -1], [1, 0], [1, 1]]
    white = torch.randn(400, 64, 64, dtype=torch.float64)
    u = stein.coefficients(white, at)
    assert u.var(0).numpy() == pytest.approx(1, abs=0.35)
    assert float(u.var(0).mean()) == pytest.approx(1, abs=0.1)


def test_a_trained_prior_is_asked_for_samples_behind_a_blur_and_for_gray_weights() -> None:
    with pytest.raises(SettingError, match="for samplers behind a blur"):
        examine("pnp_hqs", prior="photos")
    with pytest.raises(SettingError, match="one of colours"):
        stein.trained("photos_rgb")


def test_samples_of_a_shipped_prior_are_tested() -> None:
    solver = load_plugin(find_plugin("solver", "diffpir"))(steps=2)
    score = stein.score(solver, "photos", stein.trained("photos"), 4)
    assert (score.prior, score.samples, len(score.bands)) == ("photos", 4, 4)
    assert 0 < score.p <= 1
    assert all(np.isfinite([b.variance, b.bias2]).all() for b in score.bands)


@pytest.mark.slow
def test_the_command_prints_it_beside_the_certificate() -> None:
    words = ["verify", "diffpir", "--set", "steps=5", "--quick", "--samples", "8", "--prior", "photos"]
    out = CliRunner().invoke(app, words).output
    assert "Prior photos, cycles per picture" in out
    assert "Stein discrepancy: KSD²" in out
