"""What samplers share, against closed forms: the data step, the integrators, the levels, the error spectrum."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.contracts import NoiseLevel
from bench.errors import SettingError
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement
from bench.methods.classical.conjugate_gradients import conjugate_gradients
from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.error_spectrum import SIGMAS, ErrorPower, measure
from bench.methods.diffusion.levels import CLEAN, LOWEST, Level, Spacing, at_sigma, levels
from bench.methods.diffusion.schedule import Schedule
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.step import Multistep, ddim, renoise
from bench.methods.diffusion.task import Task
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem
from bench.verify.oracles.gaussian import GaussianPrior, spectrum
from tests.problems import shake

LINEAR = Schedule.make("linear")
BOUNDARIES: tuple[Boundary, ...] = ("valid", "circular")


class Strided(GaussianPrior):
    stride = 8


def problem(boundary: Boundary, n: int = 2, channels: int = 1, gain: float = 0.0, side: int = 13) -> Problem:
    measured, psf = [], shake(5)
    for i in range(n):
        y = np.random.default_rng(i).random((channels, side, side))
        measured.append(Measurement(y, y, psf, 1.0, NoiseLevel(gain, 0.02 * (i + 1))))
    rngs = [np.random.default_rng(10 + i) for i in range(n)]
    return assemble(
        measured, rngs, boundary=boundary, dtype=torch.float64, prior=lambda cost: Denoiser(Strided(), cost)
    )


def random(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(99).standard_normal(shape))


def dense(task: Task, C: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A (n, m, d), the covariance C as a matrix (d, d), and Σ (n, m, m)."""
    d, shape = task.shape[0] * task.shape[1], task.shape
    basis = torch.eye(d, dtype=torch.float64).view(d, 1, *shape)
    covariance = torch.fft.irfft2(torch.fft.rfft2(basis) * C, s=shape).view(d, d)
    A = torch.stack([task.A(b.expand(task.n, -1, -1, -1)).flatten(1) for b in basis[:, None]], 2)
    noise = task.variance.expand_as(task.y).flatten(1).diag_embed()
    return A, covariance, noise


# --- the data step --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_adjoint_of_a_task_is_exact_on_its_canvas(boundary: Boundary) -> None:
    task = Task(problem(boundary))
    x, r = random(task.n, 1, *task.shape), random(*task.y.shape).flip(-1)
    left, right = (task.A(x) * r).sum(), (x * task.At(r)).sum()
    assert abs(left - right) <= 1e-10 * abs(left)


def test_a_canvas_on_valid_data_holds_the_scene_and_fits_the_stride() -> None:
    task = Task(problem("valid"))
    assert task.shape == (24, 24)  # 13 pixels and a margin of 2 on each side, rounded up to eights
    assert Task(problem("circular")).shape == (13, 13)


def test_a_task_blurs_a_scene_as_the_harness_does() -> None:
    task = Task(problem("valid"))
    x = random(task.n, 1, *task.shape)
    assert torch.allclose(task.A(x), task.blur.A(x[..., :17, :17]), atol=1e-12)


@pytest.mark.parametrize(
    ("boundary", "gain"), [("circular", 0.0), ("circular", 0.01), ("valid", 0.0), ("valid", 0.01)]
)
def test_the_shift_is_that_of_a_gaussian_given_the_residual(boundary: Boundary, gain: float) -> None:
    task = Task(problem(boundary, gain=gain))
    C = task.prior.error_power(0.3, task.shape, task.y)
    A, covariance, noise = dense(task, C)
    r = random(*task.y.shape)
    expected = (covariance @ A.mT @ torch.linalg.solve(A @ covariance @ A.mT + noise, r.flatten(1)[..., None]))[
        ..., 0
    ]
    shift, multiplier = task.shift(r, C)
    exact = boundary == "circular" and gain == 0
    assert (shift.flatten(1) - expected).norm() <= (1e-10 if exact else 2e-2) * expected.norm()
    again, _ = task.shift(r, C, multiplier)
    assert (again.flatten(1) - expected).norm() <= 2e-2 * expected.norm()


def test_a_number_as_covariance_means_a_white_one() -> None:
    task = Task(problem("circular"))
    r = random(*task.y.shape)
    white = torch.full((13, 7), 0.2, dtype=torch.float64)
    assert torch.allclose(task.shift(r, torch.tensor(0.2))[0], task.shift(r, white)[0], atol=1e-12)


def test_conjugate_gradients_solve_a_dense_system_to_their_tolerance() -> None:
    M = random(3, 40, 40)
    M = M @ M.mT + 5 * torch.eye(40, dtype=torch.float64)
    b = random(3, 1, 40, 1)
    calls = 0

    def system(v: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return M[:, None] @ v

    x = conjugate_gradients(system, b, lambda v: v, tolerance=1e-9, most=200)
    assert torch.allclose(M[:, None] @ x, b, atol=1e-7)
    before, calls = calls, 0
    conjugate_gradients(system, b, lambda v: v, start=x, tolerance=1e-8)
    assert calls == 1 < before


def test_conjugate_gradients_stop_each_image_by_itself() -> None:
    M = random(2, 30, 30)
    M = M @ M.mT + torch.tensor([50.0, 0.5]).view(2, 1, 1) * torch.eye(30, dtype=torch.float64)
    b = random(2, 1, 30, 1)
    together = conjugate_gradients(lambda v: M[:, None] @ v, b, lambda v: v)
    for i in (0, 1):
        alone = conjugate_gradients(lambda v, i=i: M[i : i + 1, None] @ v, b[i : i + 1], lambda v: v)
        assert torch.allclose(alone[0], together[i], atol=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_linear_estimate_is_the_posterior_mean_of_a_gaussian_prior(boundary: Boundary) -> None:
    task = Task(problem(boundary))
    C = task.prior.error_power(math.inf, task.shape, task.y)
    A, covariance, noise = dense(task, C)
    y = task.y.flatten(1)[..., None]
    expected = (covariance @ A.mT @ torch.linalg.solve(A @ covariance @ A.mT + noise, y))[..., 0]
    assert (task.wiener().flatten(1) - expected).norm() <= 2e-2 * expected.norm()


def test_colours_are_gray_images_of_their_own() -> None:
    colour, task = problem("valid", n=1, channels=3), Task(problem("valid", n=1, channels=3))
    assert task.n == 3
    assert torch.equal(task.y[:, 0], 2 * colour.y[0] - 1)
    assert task.estimate(random(3, 1, *task.shape)).shape == colour.y.shape


def test_photon_noise_has_the_variance_of_its_pixel_in_the_units_of_the_task() -> None:
    given = problem("circular", gain=0.01)
    flat = Problem(0 * given.y + 0.5, given.blur, given.noise, given.rng, given.cost, given.prior)
    expected = 4 * (0.01 * 0.5 + torch.tensor([0.02, 0.04], dtype=torch.float64) ** 2)
    assert torch.allclose(Task(flat).variance.mean((1, 2, 3)), expected)
    assert torch.allclose(Task(flat, "mean").sigma.flatten() ** 2, expected)


# --- the integrators ------------------------------------------------------------------------------------------


def test_a_ddim_step_with_eta_one_is_the_ancestral_step_of_ddpm() -> None:
    now, then = at_sigma(LINEAR, 1.0), at_sigma(LINEAR, 0.6)
    x, x0, n = random(1, 1, 4, 4), 0.1 * random(1, 1, 4, 4).flip(-1), torch.ones(1, 1, 4, 4, dtype=torch.float64)
    step = (now.a / then.a) ** 2  # Ho et al. 2020, eq. 7
    mean = math.sqrt(step) * then.s**2 / now.s**2 * x + then.a * (1 - step) / now.s**2 * x0
    assert torch.allclose(ddim(x, x0, now, then, 1.0, 0 * n), mean, atol=1e-12)
    beta = then.s**2 / now.s**2 * (1 - step)
    spread = ddim(x, x0, now, then, 1.0, n) - ddim(x, x0, now, then, 1.0, 0 * n)
    assert torch.allclose(spread, math.sqrt(beta) * n, atol=1e-12)


def test_steps_keep_the_right_noise_level_when_x0_is_known() -> None:
    now, then = at_sigma(LINEAR, 2.0), at_sigma(LINEAR, 0.5)
    x0, n = random(1, 1, 8, 8), random(1, 1, 8, 8).flip(-1)
    x = now.a * x0 + now.s * n
    for out in (ddim(x, x0, now, then), Multistep().step(x, x0, now, then), renoise(x, x0, now, then, 0.0, 0 * n)):
        assert torch.allclose(out, then.a * x0 + then.s * n, atol=1e-12)
    fresh = renoise(x, x0, now, then, 1.0, 2 * n) - then.a * x0
    assert torch.allclose(fresh, then.s * 2 * n, atol=1e-12)
    assert torch.equal(ddim(x, x0, now, CLEAN, 1.0, n), x0)
    assert torch.equal(Multistep().step(x, x0, now, CLEAN), x0)


def test_the_multistep_integrator_is_exact_where_x0_is_linear_in_log_snr() -> None:
    """x_s / s_s = x_t / s_t + ∫ e^λ x_0(λ) dλ; two values of x_0 fix the line, the midpoint rule is its order."""
    grid = [at_sigma(LINEAR, math.exp(-v)) for v in torch.linspace(-1, 2, 400).tolist()]
    x, chain = torch.zeros(1, 1, 1, 1, dtype=torch.float64), Multistep()
    for now, then in pairwise(grid):
        x = chain.step(x, x.new_full((1, 1, 1, 1), -math.log(now.sigma)), now, then)
    low, high = -math.log(grid[0].sigma), -math.log(grid[-1].sigma)
    integral = math.exp(high) * (high - 1) - math.exp(low) * (low - 1)
    assert float(x) / grid[-1].s == pytest.approx(integral, rel=1e-4)


# --- levels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", ["uniform", "quad", "diffpir", "logsnr"])
@pytest.mark.parametrize("highest", [math.inf, 0.7])
def test_levels_fall_from_the_highest_asked_for_to_the_schedules_lowest(spacing: Spacing, highest: float) -> None:
    visited = levels(LINEAR, spacing, 12, highest)
    sigmas = [v.sigma for v in visited]
    assert len(visited) == 12
    assert all(a > b for a, b in pairwise(sigmas))
    assert sigmas[0] == pytest.approx(min(highest, float(LINEAR.log_sigmas[-1].exp())), rel=1e-9)
    assert sigmas[-1] == pytest.approx(max(LOWEST, float(LINEAR.log_sigmas[0].exp())), rel=1e-9)
    assert all(v.a**2 + v.s**2 == pytest.approx(1) for v in visited)


@pytest.mark.parametrize("n", [20, 100])
def test_the_levels_of_diffpir_are_the_steps_that_its_code_visits(n: int) -> None:
    """Its index into noise levels sorted from the noisiest, i = 0 ... n - 1: ⌊√(i 1000² / (n - 1))⌋, the last 999."""
    visited = [999 - math.isqrt(i * 1000**2 // (n - 1)) for i in range(n - 1)] + [0]
    assert [v.t for v in levels(LINEAR, "diffpir", n)] == visited


def test_logsnr_levels_are_equally_spaced_in_log_sigma() -> None:
    gaps = torch.tensor([math.log(v.sigma) for v in levels(LINEAR, "logsnr", 9)]).diff()
    assert torch.allclose(gaps, gaps.mean().expand(8), rtol=1e-4)


def test_no_levels_are_refused() -> None:
    with pytest.raises(SettingError, match="at least 1"):
        levels(LINEAR, "uniform", 0)


def test_a_chain_begins_with_noise_of_the_top_level_and_ends_clean() -> None:
    x, steps = begin(Task(problem("circular", n=40)), "logsnr", 5)
    assert steps[-1][1] == CLEAN
    assert len(steps) == 5
    assert float(x.std()) == pytest.approx(steps[0][0].s, rel=0.05)


def test_a_warm_start_is_the_linear_estimate_with_noise_of_that_size() -> None:
    task = Task(problem("circular", n=40))
    x, steps = begin(task, "logsnr", 5, warm=0.3)
    top = steps[0][0]
    assert top.sigma == pytest.approx(0.3)
    assert float((x / top.a - task.wiener()).std()) == pytest.approx(0.3, rel=0.05)


# --- the denoiser and its error -------------------------------------------------------------------------------


def test_a_denoiser_counts_its_calls_and_takes_any_size() -> None:
    one = Denoiser(Strided())
    x = random(2, 1, 13, 10).requires_grad_()
    out = one.x0(x, Level(100, *(float(v) for v in LINEAR.scales(torch.tensor(100.0)))))
    assert out.shape == x.shape
    out.sum().backward()
    assert (one.cost.nfe_forward, one.cost.nfe_backward) == (1, 1)


def table() -> ErrorPower:
    """C = σ² f^-2 / (1 + ...) replaced by a pure power law, which interpolation in logarithms keeps exactly."""
    frequencies = (0.05, 0.1, 0.2, 0.4)
    rows = tuple(tuple(0.01 * s**0.5 / f for f in frequencies) for s in SIGMAS)
    return ErrorPower(SIGMAS, frequencies, (rows,), 0.1)


def test_the_error_spectrum_interpolates_a_power_law_exactly_and_keeps_to_its_ends() -> None:
    C = table()(0.3, (40, 40), random(1))
    f = torch.hypot(torch.fft.fftfreq(40)[:, None].double(), torch.fft.rfftfreq(40)[None].double())
    assert torch.allclose(C, (0.01 * 0.3**0.5 / f.clamp(0.05, 0.4)).clamp(max=0.09), rtol=1e-6)
    assert torch.equal(table()(math.inf, (8, 8), random(1)), table()(1e6, (8, 8), random(1)))


def test_the_error_spectrum_never_exceeds_the_noise() -> None:
    for sigma in (1e-4, 0.002, 0.01):
        assert float(table()(sigma, (16, 16), random(1)).max()) <= sigma**2 * (1 + 1e-9)


def test_a_card_keeps_the_error_spectrum_to_four_digits() -> None:
    again = ErrorPower.of(table().card())
    assert torch.allclose(again(0.2, (8, 8), random(1)), table()(0.2, (8, 8), random(1)), rtol=1e-3)


def test_the_measured_error_of_the_exact_denoiser_is_its_closed_form() -> None:
    prior, rng = GaussianPrior(), np.random.default_rng(0)
    x = torch.stack([prior.draw((64, 64), rng) for _ in range(64)])[:, None]

    def denoise(y: Tensor, sigma: float) -> Tensor:
        level = at_sigma(prior.schedule, sigma)
        return prior.x0(level.a * y, torch.full((len(y),), level.t, dtype=torch.float64))

    measured = measure(x, denoise)
    S = spectrum((64, 64))[:, :33]
    f = torch.hypot(torch.fft.fftfreq(64)[:, None].double(), torch.fft.rfftfreq(64)[None].double())
    for sigma in (0.16, 1.28):
        C = measured(sigma, (64, 64), x)
        # Below, the window that makes the measurement honest on pictures smears the peak at zero frequency.
        some = f > 0.06
        ratio = C[some].sum() / (S * sigma**2 / (S + sigma**2))[some].sum()
        assert float(ratio) == pytest.approx(1, abs=0.1)
