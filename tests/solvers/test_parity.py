"""DPS and DiffPIR beside their papers' algorithms, written here anew: the same noise draws, the same pictures.

RED-Diff's is in test_samplers_more.py. Where ours differs on purpose is said in docs/samplers.md, and here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.levels import Level, Spacing, levels
from bench.methods.diffusion.power_law import PHOTOGRAPHS, GaussianImages
from bench.methods.problem import Problem
from tests.make_solver import made
from tests.problems import camera, problem, shake

SIDE, STEPS, SIGMA = 24, 8, 0.05
PRIOR = GaussianImages(PHOTOGRAPHS)


def given() -> tuple[Problem, Tensor]:
    """A problem, and its measurement in [-1, 1]."""
    p, _ = problem([camera(SIDE)], shake(5), sigma=SIGMA)
    return p.replace(prior=Denoiser(PRIOR, p.cost)), 2 * p.y - 1


def draws(n: int) -> list[Tensor]:
    rng = np.random.default_rng(0)  # as that of the problem's first picture
    return [torch.as_tensor(rng.standard_normal((1, 1, SIDE, SIDE))) for _ in range(n)]


def A(x: Tensor) -> Tensor:
    """The sum of shifted pictures that a circular blur is."""
    k = shake(5)
    shifts = [(a, b) for a in range(5) for b in range(5)]
    return torch.stack([float(k[a, b]) * x.roll((a - 2, b - 2), (-2, -1)) for a, b in shifts]).sum(0)


def denoised(x: Tensor, at: Level) -> Tensor:
    return PRIOR.x0(x, torch.tensor([at.t], dtype=torch.float64))


def visited(spacing: Spacing) -> list[tuple[float, float, Level]]:
    """ᾱ_i, ᾱ_{i-1} and the level of each step; the last goes to the clean picture."""
    at = levels(PRIOR.schedule, spacing, STEPS)
    bars = [v.a**2 for v in at] + [1.0]
    return list(zip(bars, bars[1:], at, strict=False))


def test_dps_is_algorithm_1_with_the_norm_s_gradient_and_no_guidance_into_the_last_picture() -> None:
    """x' of DDPM's posterior, then x = x' - ζ ∇|y - A x̂_0|. The factor ζ is ours: docs/samplers.md derives it."""
    p, y = given()
    noise = draws(STEPS + 1)
    zeta = 0.008 * SIDE * 1000 / STEPS
    x = (1 - visited("uniform")[0][0]) ** 0.5 * noise[0]
    for (bar, after, at), z in zip(visited("uniform"), noise[1:], strict=True):
        x = x.detach().requires_grad_()
        x0 = denoised(x, at)
        (gradient,) = torch.autograd.grad(torch.linalg.vector_norm(y - A(x0)), x)
        alpha = bar / after
        mean = alpha**0.5 * (1 - after) / (1 - bar) * x + after**0.5 * (1 - alpha) / (1 - bar) * x0
        moved = mean + ((1 - after) / (1 - bar) * (1 - alpha)) ** 0.5 * z
        x = moved if after == 1 else moved - zeta * gradient
    with torch.no_grad():
        ours = made("dps", steps=STEPS).solve(p)
    torch.testing.assert_close(2 * ours - 1, x.detach(), rtol=1e-5, atol=1e-5)


def test_diffpir_is_algorithm_1_with_lambda_in_units_of_pictures_in_minus_one_to_one() -> None:
    """x̂_0 = argmin |y - A x|² + ρ |x - x_0|², ρ = λ σ_n² / σ_t², then noise: a share ζ of it fresh."""
    p, y = given()
    noise, lam, share = draws(STEPS + 1), 1.75, 0.3
    F, impulse = torch.fft.fft2, torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    impulse[..., 0, 0] = 1
    K = F(A(impulse))
    x = (1 - visited("diffpir")[0][0]) ** 0.5 * noise[0]
    for (bar, after, at), z in zip(visited("diffpir"), noise[1:], strict=True):
        rho = lam * (2 * SIGMA) ** 2 / ((1 - bar) / bar)
        x0 = torch.fft.ifft2((K.conj() * F(y) + rho * F(denoised(x, at))) / (K.abs() ** 2 + rho)).real
        epsilon = (x - bar**0.5 * x0) / (1 - bar) ** 0.5
        x = after**0.5 * x0 + (1 - after) ** 0.5 * ((1 - share) ** 0.5 * epsilon + share**0.5 * z)
    with torch.no_grad():
        ours = made("diffpir", steps=STEPS, lam=lam, zeta=share).solve(p)
    torch.testing.assert_close(2 * ours - 1, x, rtol=1e-5, atol=1e-5)


def test_a_prior_of_one_size_says_so_on_another() -> None:
    p, _ = given()
    prior = GaussianImages(PHOTOGRAPHS)
    prior.native_size = SIDE * 2  # type: ignore[attr-defined]
    p = p.replace(prior=Denoiser(prior, p.cost))
    with torch.no_grad():
        made("diffpir", steps=1).solve(p)
    assert f"prior of {2 * SIDE} x {2 * SIDE} pixels on {SIDE} x {SIDE}" in p.prior.notes
