"""The Wiener filter and the prior spectra that it stands on."""

from typing import Any, Literal

import numpy as np
import pytest
import torch
from skimage.restoration import wiener as skimage_wiener
from torch import Tensor

from bench import SettingError
from bench.contracts import NoiseLevel
from bench.imaging.blur import Blur
from bench.methods.classical.spectra import inverse_prior, prior_scale
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin
from tests.problems import camera, problem, psnr, shake

Wiener: Any = load_plugin(find_plugin("solver", "wiener"))

SIGMA = 0.02


def gaussian_problem(size: int, batch: int, scale: float = 1e-4) -> tuple[Problem, Tensor]:
    """Images drawn from the power-law prior itself, blurred circularly, with white noise."""
    rng = torch.Generator().manual_seed(0)
    shape, like = (size, size), torch.zeros(1, dtype=torch.float64)
    P = inverse_prior("spectrum", shape, like)
    amplitude = torch.where(P > 0, (scale / P.clamp(min=1e-12)).sqrt(), 0)
    white = torch.randn(batch, 1, *shape, dtype=torch.float64, generator=rng)
    x = 0.5 + torch.fft.irfft2(amplitude * torch.fft.rfft2(white), s=shape)
    blur = Blur(torch.from_numpy(shake(5)).expand(batch, 1, 5, 5), shape, "circular")
    y = blur.A(x) + SIGMA * torch.randn(x.shape, dtype=torch.float64, generator=rng)
    level = NoiseLevel(torch.zeros(batch, dtype=y.dtype), torch.full((batch,), SIGMA, dtype=y.dtype))
    return Problem(y=y, blur=blur, noise=level, rng=()), x


def estimated_scale(data: Problem) -> Tensor:
    shape = data.blur.shape
    P = inverse_prior("spectrum", shape, data.y)
    return prior_scale(torch.fft.rfft2(data.y), data.blur.otf(shape).abs() ** 2, P, data.variance, shape)


def test_it_is_the_posterior_mean_of_the_dense_gaussian_model():
    data, _ = gaussian_problem(8, 1)
    s = float(estimated_scale(data))
    eye = torch.eye(64, dtype=torch.float64).view(64, 1, 8, 8)
    A = Blur(data.psf.expand(64, -1, -1, -1), (8, 8), "circular").A(eye).view(64, 64).T
    P = inverse_prior("spectrum", (8, 8), data.y)
    # Precision of the prior; P(0) = 0 makes it improper for the mean, as it should be.
    precision = torch.fft.irfft2(P / s * torch.fft.rfft2(eye), s=(8, 8)).view(64, 64)
    mean = torch.linalg.solve(A.T @ A / SIGMA**2 + precision, A.T @ data.y.flatten() / SIGMA**2)
    torch.testing.assert_close(Wiener().solve(data).flatten(), mean, rtol=0, atol=1e-9)


def test_on_gaussian_data_no_other_balance_does_better_on_average():
    data, x = gaussian_problem(64, 24)
    error = {b: float((Wiener(balance=b).solve(data) - x).square().mean()) for b in (0.7, 1.0, 1.4)}
    assert error[1.0] < error[0.7]
    assert error[1.0] < error[1.4]


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1e-2])
def test_the_scale_of_the_prior_is_recovered_from_blurred_noisy_data(scale: float):
    data, _ = gaussian_problem(64, 8, scale)
    assert float(estimated_scale(data).log().mean().exp()) == pytest.approx(scale, rel=0.1)


def test_the_scale_is_where_the_likelihood_is_stationary():
    data, _ = problem([camera()])
    shape = data.blur.shape
    P, K = inverse_prior("spectrum", shape, data.y), data.blur.otf(shape)
    W = (K.abs() ** 2 / P).where(P > 0, 0)
    periodogram = torch.fft.rfft2(data.y).abs() ** 2 / (shape[0] * shape[1])
    pairs = torch.full((shape[1] // 2 + 1,), 2.0)
    pairs[[0, -1]] = 1

    def cost(s: Tensor) -> float:
        V = s * W + data.variance
        return float(((periodogram / V + V.log()) * pairs)[..., P > 0].sum())

    s = estimated_scale(data)
    assert cost(s) < min(cost(s * 1.02), cost(s / 1.02))


def test_the_laplacian_prior_is_that_of_scikit_image():
    data, _ = problem([camera()])
    shape = data.blur.shape
    P = inverse_prior("laplacian", shape, data.y)
    s = prior_scale(torch.fft.rfft2(data.y), data.blur.otf(shape).abs() ** 2, P, data.variance, shape)
    balance = float(data.variance / s)
    theirs = np.asarray(skimage_wiener(data.y[0, 0].numpy(), data.psf[0, 0].numpy(), balance, clip=False))
    ours = Wiener(prior="laplacian").solve(data)[0, 0]
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-9)


@pytest.mark.parametrize("boundary", ["padded", "unknown"])
def test_with_the_fitted_scale_given_it_is_the_same_estimate(boundary: Literal["padded", "unknown"]):
    data, _ = gaussian_problem(16, 1)
    given = Wiener(scale=float(estimated_scale(data)), boundary=boundary).solve(data)
    torch.testing.assert_close(given, Wiener(boundary=boundary).solve(data), rtol=0, atol=1e-8)
    assert not torch.equal(given, Wiener(scale=1.0, boundary=boundary).solve(data))


def test_the_estimate_does_not_move_with_the_brightness():
    data, _ = problem([camera()])
    brighter = Problem(y=data.y + 0.3, blur=data.blur, noise=data.noise, rng=data.rng)
    torch.testing.assert_close(Wiener().solve(brighter), Wiener().solve(data) + 0.3, rtol=0, atol=1e-9)


def test_one_balance_suits_every_noise_level():
    for sigma in (1 / 255, 4 / 255, 16 / 255):
        data, truth = problem([camera(128)], sigma=sigma)
        quality = {b: psnr(Wiener(balance=b).solve(data), truth) for b in (0.1, 0.3, 1.0, 3.0, 10.0)}
        assert quality[1.0] > max(quality.values()) - 0.3


def test_a_negative_balance_is_refused():
    with pytest.raises(SettingError, match="balance must be at least 0"):
        Wiener(balance=-1.0)
