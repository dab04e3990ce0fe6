"""The scale of the denoiser's error on one image, estimated from residuals whose covariance is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.contracts import NoiseLevel
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement
from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.error_scale import error_scale
from bench.methods.diffusion.task import Task
from bench.methods.make_problem import assemble
from bench.verify.oracles.gaussian import GaussianPrior
from tests.problems import shake

SIGMA, IMAGES = 0.5, 24


def task(boundary: Boundary, noise: float) -> Task:
    blank = np.full((1, 32, 32), 0.5)
    measured = [Measurement(blank, blank, shake(5), 1.0, NoiseLevel(0.0, noise)) for _ in range(IMAGES)]
    rngs = [np.random.default_rng(i) for i in range(IMAGES)]
    prior = GaussianPrior()
    return Task(
        assemble(measured, rngs, boundary=boundary, dtype=torch.float64, prior=lambda cost: Denoiser(prior, cost))
    )


def residuals(task: Task, kappa: float) -> torch.Tensor:
    """Draws of N(0, κ A C Aᵀ + Σ) (IMAGES, 1, 32, 32)."""
    white = torch.from_numpy(np.random.default_rng(5).standard_normal((IMAGES, 1, *task.shape)))
    C = task.prior.error_power(SIGMA, task.shape, task.y)
    error = torch.fft.irfft2(torch.fft.rfft2(white) * (kappa * C).sqrt(), s=task.shape)
    noise = torch.from_numpy(np.random.default_rng(6).standard_normal(task.y.shape))
    return task.A(error) + task.variance.sqrt() * noise


@pytest.mark.parametrize("boundary", ["circular", "valid"])
@pytest.mark.parametrize("kappa", [0.25, 1.0, 4.0])
def test_the_scale_of_a_gaussian_error_is_recovered_within_its_standard_error(
    boundary: Boundary, kappa: float
) -> None:
    one = task(boundary, noise=0.02)
    log = error_scale(one, residuals(one, kappa), SIGMA).log().flatten()
    # Leakage of the taper and the prior of log κ move the estimate less than images scatter.
    assert float(log.mean()) == pytest.approx(np.log(kappa), abs=0.15)
    assert 0.01 < float(log.std()) < 0.4


def test_where_noise_hides_the_error_the_scale_stays_near_one() -> None:
    one = task("circular", noise=20.0)
    log = error_scale(one, residuals(one, 4.0), SIGMA).log()
    assert float(log.abs().max()) < 0.2
