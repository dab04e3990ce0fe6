"""Colour priors: pictures whose channels are one image, against dense linear algebra and against gray priors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.contracts import NoiseLevel
from bench.errors import SettingError
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement
from bench.methods.diffusion.colours import convolve_opponent, from_opponent, to_opponent
from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.diffusion.error_spectrum import ErrorPower, measure
from bench.methods.diffusion.levels import at_sigma
from bench.methods.diffusion.task import Task
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem
from bench.verify.oracles.colour import ColourPrior, aligned, skewed
from bench.verify.oracles.gaussian import GaussianPrior, spectrum
from tests.make_solver import made
from tests.problems import shake

INDEPENDENT = ColourPrior(torch.eye(3, dtype=torch.float64))


class Strided(ColourPrior):
    stride = 4


def problem(
    prior: PriorModel, boundary: Boundary = "valid", channels: int = 3, gain: float = 0.0, side: int = 9, n: int = 2
) -> Problem:
    measured = []
    for i in range(n):
        y = np.random.default_rng(i).random((channels, side, side))
        psf = shake(5) if i == 0 else shake(5).T
        measured.append(Measurement(y, y, psf, 1.0, NoiseLevel(gain, 0.02 * (i + 1))))
    rngs = [np.random.default_rng(10 + i) for i in range(n)]
    return assemble(measured, rngs, boundary=boundary, dtype=torch.float64, prior=lambda cost: Denoiser(prior, cost))


def random(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(99).standard_normal(shape))


# --- opponent colours -----------------------------------------------------------------------------------------


def test_opponent_colours_are_lightness_and_two_differences_and_orthonormal() -> None:
    U = to_opponent(torch.eye(3, dtype=torch.float64)[..., None])[..., 0]
    expected = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
    assert torch.allclose(U, expected / expected.norm(dim=1, keepdim=True), atol=1e-12)
    x = random(2, 3, 4, 5)
    assert torch.allclose(from_opponent(to_opponent(x)), x, atol=1e-12)


def test_a_spectrum_that_all_components_share_needs_no_mixing() -> None:
    x, C = random(2, 3, 8, 8), random(8, 5).abs()
    assert torch.allclose(convolve_opponent(x, C.expand(3, 8, 5)), convolve_opponent(x, C), atol=1e-12)


# --- the task -------------------------------------------------------------------------------------------------


def test_a_prior_of_the_pictures_channels_sees_them_as_one_image_and_a_gray_one_apart() -> None:
    joint, apart = Task(problem(ColourPrior())), Task(problem(GaussianPrior()))
    assert (joint.n, joint.channels, apart.n, apart.channels) == (2, 3, 6, 1)
    assert torch.equal(joint.y.flatten(0, 1), apart.y.flatten(0, 1))
    assert torch.equal(joint.noise().flatten(0, 1), apart.noise().flatten(0, 1))


def test_a_colour_prior_refuses_gray_pictures_with_the_way_out() -> None:
    with pytest.raises(SettingError, match=r"3 channels, the data are gray: take a gray prior"):
        Task(problem(ColourPrior(), channels=1))


@pytest.mark.parametrize("M", [aligned(), skewed()], ids=["aligned", "skewed"])
@pytest.mark.parametrize(
    ("boundary", "gain"), [("circular", 0.0), ("circular", 0.01), ("valid", 0.0), ("valid", 0.01)]
)
def test_the_shift_of_correlated_channels_is_that_of_dense_algebra(
    boundary: Boundary, gain: float, M: Tensor
) -> None:
    """A C Aᵀ + Σ over all pixels of all three channels, with C the covariance that the opponent spectra stand for."""
    task = Task(problem(Strided(M), boundary, gain=gain, side=7))
    C = task.prior.error_power(0.3, task.shape, task.y)
    assert C.shape == (3, task.shape[0], task.shape[1] // 2 + 1)
    d = 3 * task.shape[0] * task.shape[1]
    basis = torch.eye(d, dtype=torch.float64).view(d, 3, *task.shape)
    covariance = from_opponent(torch.fft.irfft2(torch.fft.rfft2(to_opponent(basis)) * C, s=task.shape))
    covariance = covariance.reshape(d, d)
    A = torch.stack([task.A(b.expand(task.n, -1, -1, -1)).flatten(1) for b in basis], 2)
    noise = task.variance.expand_as(task.y).flatten(1).diag_embed()
    r = random(*task.y.shape)
    solved = torch.linalg.solve(A @ covariance @ A.mT + noise, r.flatten(1)[..., None])
    expected = (covariance @ A.mT @ solved)[..., 0]
    shift, _ = task.shift(r, C)
    exact = boundary == "circular" and gain == 0
    assert (shift.flatten(1) - expected).norm() <= (1e-10 if exact else 2e-2) * expected.norm()


def test_photon_noise_has_the_variance_of_its_own_channel_and_one_number_stands_for_all() -> None:
    given = problem(ColourPrior(), "circular", gain=0.01, n=1)
    level = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64).view(1, 3, 1, 1)
    flat = given.replace(y=level.expand_as(given.y).contiguous())
    pixel = Task(flat).variance
    assert torch.allclose(pixel, (4 * (0.01 * level + 0.02**2)).expand_as(pixel))
    assert torch.allclose(Task(flat, "mean").variance.flatten(), torch.tensor(4 * (0.01 * 0.5 + 0.02**2)).double())


# --- every sampler: a colour prior of independent channels is a gray one on each -------------------------------

SAMPLERS: dict[str, dict[str, Any]] = {
    "sprox": {"steps": 4, "adapt": False, "photons": "mean"},
    "diffpir": {"steps": 4},
    "ddrm": {"steps": 4, "padding": "edge"},
    "pigdm": {"steps": 3, "variance": "measured"},
    "pnp_hqs": {"steps": 3, "photons": "mean"},
    "daps": {"steps": 3},
    "adjoint_ddim": {"steps": 4},
    "reddiff": {"steps": 4},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_with_independent_channels_a_colour_prior_gives_what_a_gray_one_gives_each_channel(name: str) -> None:
    solver = made(name, **SAMPLERS[name])
    with torch.no_grad():
        joint, apart = (solver.solve(problem(p, "circular", side=16)) for p in (INDEPENDENT, GaussianPrior()))
    assert torch.allclose(joint, apart, atol=1e-9)


def test_the_step_of_dps_is_that_of_a_gray_prior_when_the_channels_misfit_alike() -> None:
    """ζ grows as √m, the norm |y - A x̂_0| too: with C channels in both, the step on each channel is the same."""
    given = problem(INDEPENDENT, "circular", side=16, n=1)
    alike = given.y[:, :1].expand_as(given.y).contiguous()
    draws = [np.random.default_rng(0).standard_normal((1, 16, 16)).repeat(3, 0) for _ in range(9)]

    class Repeated:
        def __init__(self) -> None:
            self.left = list(draws)

        def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
            assert shape == (3, 16, 16)
            return self.left.pop()

    solver = made("dps", steps=4)
    with torch.no_grad():
        joint, apart = (
            solver.solve(
                given.replace(y=alike, rng=(Repeated(),), prior=Denoiser(p))  # pyright: ignore[reportArgumentType] - draws what it must
            )
            for p in (INDEPENDENT, GaussianPrior())
        )
    assert torch.allclose(joint, apart, atol=1e-9)


def test_a_sampler_of_colours_mixes_them_when_the_prior_does() -> None:
    solver = made("sprox", steps=4, adapt=False, photons="mean")
    with torch.no_grad():
        joint, apart = (solver.solve(problem(p, "circular", side=16)) for p in (ColourPrior(), GaussianPrior()))
    assert (joint - apart).abs().max() > 0.05


# --- the error spectrum ---------------------------------------------------------------------------------------


def test_the_measured_errors_of_a_colour_denoiser_are_those_of_its_opponent_components() -> None:
    prior, rng = ColourPrior(), np.random.default_rng(0)
    S = prior.m.view(3, 1, 1) * spectrum((64, 64))
    white = torch.from_numpy(rng.standard_normal((32, 3, 64, 64)))
    x = prior.back(torch.fft.ifft2(torch.fft.fft2(white) * S.sqrt()).real)

    def denoise(y: Tensor, sigma: float) -> Tensor:
        level = at_sigma(prior.schedule, sigma)
        return prior.x0(level.a * y, torch.full((len(y),), level.t, dtype=torch.float64))

    table = ErrorPower.of(measure(x, denoise).card())
    f = torch.hypot(torch.fft.fftfreq(64)[:, None].double(), torch.fft.rfftfreq(64)[None].double())
    some = f > 0.06  # below, the window smears the peak at zero frequency
    for sigma in (0.16, 1.28):
        C, exact = table(sigma, (64, 64), x), prior.error_power(sigma, (64, 64), x)
        assert C.shape == exact.shape
        ratios = C[:, some].sum(1) / exact[:, some].sum(1)
        assert ratios.tolist() == pytest.approx([1, 1, 1], abs=0.12)


def test_a_card_of_one_table_holds_for_every_component() -> None:
    table = ErrorPower((0.1, 10.0), (0.1, 0.5), (((1e-3, 1e-4), (1.0, 0.1)),), 0.0)
    assert table.card()["power"] == [[1e-3, 1e-4], [1.0, 0.1]]
    assert ErrorPower.of(table.card())(math.inf, (8, 8), random(1)).shape == (8, 5)
