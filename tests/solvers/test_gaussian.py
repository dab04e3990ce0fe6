"""The Gaussian model with unknown boundary: against the dense posterior of a tiny picture and the filter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench import Problem, SettingError
from bench.imaging.blur import convolve
from bench.methods.classical.differences import laplacian_spectrum
from bench.methods.classical.gaussian import GaussianModel, canvas
from bench.methods.classical.padding import crop
from tests.make_solver import made
from tests.problems import camera, problem, psnr, shake

SIGMA = 4 / 255


def tiny() -> Problem:
    """10 × 11 pixels of a scene of 14 × 15, with noise."""
    return problem([camera(64)[:, 20:34, 20:35]], shake(5), sigma=SIGMA, boundary="valid")[0]


def dense(model: GaussianModel) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the sensor's pixels given y, from matrices that hold every pixel of the canvas."""
    (left, right, top, bottom), (H, W) = model.sides, model.y.shape[-2:]
    h, w = top + H + bottom, left + W + right
    basis = torch.eye(h * w, dtype=torch.float64).view(-1, 1, h, w)
    seen = crop(torch.arange(h * w).view(1, 1, h, w), model.sides).flatten()
    C = convolve(basis, model.S).flatten(1)
    A = convolve(basis, model.K).flatten(1).T[seen]
    gain = C @ A.T @ torch.linalg.inv(A @ C @ A.T + model.variance.flatten() * torch.eye(len(seen)))
    mean = model.m.flatten() + gain @ (model.y.flatten() - A @ model.m.flatten().expand(h * w))
    return mean[seen], (C - gain @ A @ C)[seen][:, seen]


@pytest.mark.parametrize("prior", ["flat", "laplacian", "spectrum"])
def test_the_wiener_filter_with_unknown_boundary_is_the_mean_of_the_dense_posterior(prior: Any) -> None:
    p = tiny()
    mean, covariance = dense(GaussianModel.fitted(p, prior, balance=2.0))
    x = made("wiener", prior=prior, balance=2.0, boundary="unknown").solve(p)
    assert float((x.flatten() - mean).abs().max()) < 1e-3 * float(covariance.diagonal().sqrt().max())


def test_tikhonov_with_unknown_boundary_solves_its_normal_equations_on_the_canvas() -> None:
    p = tiny()
    x = made("tikhonov", mu=50.0, boundary="unknown").solve(p)
    mean, _ = dense(GaussianModel(p, 50.0 * laplacian_spectrum(canvas(p)[1], p.y)))
    assert float((x.flatten() - mean).abs().max()) < 1e-4


def test_samples_have_the_mean_and_the_covariance_of_the_dense_posterior() -> None:
    """Of 4000 samples: the mean's squared distance is a chi square, entries of the covariance scatter as 1/√n."""
    p, n = tiny(), 4000
    mean, covariance = dense(GaussianModel.fitted(p, "spectrum"))
    batch = Problem(
        p.y.expand(n, -1, -1, -1),
        type(p.blur)(p.psf.expand(n, -1, -1, -1), p.blur.shape, "valid"),
        type(p.noise)(*(level.expand(n) for level in p.noise)),
        tuple(np.random.default_rng(i) for i in range(n)),
    )
    x = made("gaussian_posterior").solve(batch).flatten(1)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), (x - mean).T, upper=False)
    d = len(mean)
    assert float(n * whitened.mean(1).square().sum()) == pytest.approx(d, abs=5 * (2 * d) ** 0.5)
    deviation = (whitened @ whitened.T / n - torch.eye(d)) * n**0.5
    assert float(deviation.square().mean()) == pytest.approx(1 + 1 / d, rel=0.1)


@pytest.mark.parametrize("name", ["wiener", "tikhonov"])
def test_on_circular_data_nothing_is_unknown(name: str) -> None:
    p, _ = problem([camera(32)], gain=1e-4)
    closed, solved = (made(name, boundary=b).solve(p) for b in ("padded", "unknown"))
    torch.testing.assert_close(solved, closed, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["wiener", "tikhonov"])
def test_a_boundary_that_is_unknown_beats_one_that_is_invented(name: str) -> None:
    p, truth = problem([camera(96)], shake(25), sigma=1 / 255, boundary="valid")
    invented, unknown = (made(name, boundary=b).solve(p) for b in ("padded", "unknown"))
    assert psnr(unknown, truth) > psnr(invented, truth) + 1.5


@pytest.mark.parametrize(
    ("name", "weight"), [("wiener", "balance"), ("tikhonov", "mu"), ("gaussian_posterior", "scale")]
)
def test_a_prior_without_weight_is_refused(name: str, weight: str) -> None:
    with pytest.raises(SettingError, match=f"{weight} must be positive"):
        made(name, **{weight: 0.0, **({} if weight == "scale" else {"boundary": "unknown"})})
