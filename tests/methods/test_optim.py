"""Finite differences, proximal operators, FISTA and the gradient split of ADMM."""

import pytest
import torch
from torch import Tensor

from bench.imaging.blur import Blur
from bench.methods.classical.differences import (
    Edges,
    difference_adjoint,
    differences,
    laplacian_spectrum,
)
from bench.methods.classical.optim import (
    GradientSplit,
    data_step,
    fista,
    image_sums,
    noise_variance,
    prox_poisson_gaussian,
    prox_tv,
    soft_threshold,
    tv_weight,
)
from tests.problems import camera, problem, shake, total_variation

EDGES: tuple[Edges, ...] = ("periodic", "neumann")


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("edges", EDGES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (1, 4), (3, 1)])
def test_the_difference_adjoint_is_the_adjoint(edges: Edges, shape: tuple[int, int]):
    x, d = rand(2, 3, *shape), rand(2, 2, 3, *shape, seed=1)
    assert (differences(x, edges) * d).sum() == pytest.approx(float((x * difference_adjoint(d, edges)).sum()), 1e-12)


@pytest.mark.parametrize("shape", [(6, 8), (5, 7)])
def test_the_laplacian_spectrum_diagonalises_the_differences(shape: tuple[int, int]):
    x = rand(2, 1, *shape)
    by_fft = torch.fft.irfft2(laplacian_spectrum(shape, x) * torch.fft.rfft2(x), s=shape)
    torch.testing.assert_close(by_fft, difference_adjoint(differences(x)), rtol=0, atol=1e-13)


def test_the_total_variation_of_a_square_is_its_perimeter_up_to_one_corner():
    x = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    x[..., 3:8, 3:8] = 1
    # Of the four corner pixels only the one whose both forward differences jump shares sqrt(2) for two sides.
    assert float(total_variation(x)) == pytest.approx(20 - 2 + 2**0.5)


def test_fista_finds_the_closed_form_of_a_diagonal_lasso():
    a, b = rand(2, 1, 4, 4) + 0.02, rand(2, 1, 4, 4, seed=1) - 0.5
    x = fista(torch.zeros_like(b), lambda x: a * (x - b), lambda v: soft_threshold(v, 0.01), 1.0, 2000)
    torch.testing.assert_close(x, soft_threshold(b, 0.01 / a), rtol=0, atol=1e-9)


def test_fista_restarts_beat_plain_proximal_gradient_on_an_ill_conditioned_problem():
    a, b = torch.logspace(-4, 0, 16, dtype=torch.float64).view(1, 1, 4, 4), rand(1, 1, 4, 4)
    x = fista(torch.zeros_like(b), lambda x: a * (x - b), lambda v: v, 1.0, 400)
    plain = b * (1 - (1 - a) ** 400)
    assert (a * (x - b) ** 2).sum() < 1e-2 * (a * (plain - b) ** 2).sum()


def test_fista_treats_images_alone():
    a, b = torch.logspace(-3, 0, 48, dtype=torch.float64).view(3, 1, 4, 4), rand(3, 1, 4, 4)

    def run(i: slice) -> Tensor:
        return fista(torch.zeros_like(b[i]), lambda x: a[i] * (x - b[i]), lambda v: v, 1.0, 150)

    assert torch.equal(run(slice(1, 2)), run(slice(0, 3))[1:2])


def test_the_data_step_is_at_most_one_over_the_norm_of_the_normal_operator():
    psf = torch.stack([torch.from_numpy(shake()), torch.from_numpy(shake().T) * 2])[:, None]
    blur = Blur(psf, (20, 24), "valid")
    x = rand(2, 1, *blur.scene_shape)
    for _ in range(50):
        x = x / image_sums(x**2).sqrt().view(-1, 1, 1, 1)
        x = blur.A_adjoint(blur.A(x))
    norms = image_sums(x**2).sqrt()
    steps = data_step(psf).flatten()
    assert (norms <= 1 / steps).all()
    assert (norms >= 0.5 / steps).all()


@pytest.mark.parametrize("edges", EDGES)
def test_prox_tv_closes_the_duality_gap(edges: Edges):
    v, tau = torch.from_numpy(camera(32))[None] + 0.1 * rand(1, 1, 32, 32), 0.08
    u, p = prox_tv(v, tau, 3000, edges=edges)
    primal = 0.5 * ((u - v) ** 2).sum() + tau * total_variation(u, edges).sum()
    dual = 0.5 * (v**2).sum() - 0.5 * ((v - difference_adjoint(p, edges)) ** 2).sum()
    assert float(torch.linalg.vector_norm(p, dim=0).max()) <= tau * (1 + 1e-12)
    assert 0 <= float(primal - dual) < 1e-6 * float(primal)


def test_prox_tv_and_the_gradient_split_of_admm_agree():
    v, tau, penalty = torch.from_numpy(camera(32))[None] + 0.1 * rand(1, 1, 32, 32), 0.08, 1.2
    split, u = GradientSplit(v, tau / penalty, relaxation=1.8), v
    spectrum = 1 + penalty * laplacian_spectrum((32, 32), v)
    for _ in range(800):
        u = torch.fft.irfft2(torch.fft.rfft2(v + penalty * split.update(u)) / spectrum, s=(32, 32))
    torch.testing.assert_close(u, prox_tv(v, tau, 3000, edges="periodic")[0], rtol=0, atol=1e-4)


def test_prox_tv_with_a_warm_start_goes_on_where_it_stopped():
    v = rand(1, 1, 16, 16)
    exact = prox_tv(v, 0.1, 5000)[0]
    _, dual = prox_tv(v, 0.1, 300)
    cold, warm = prox_tv(v, 0.1, 3)[0], prox_tv(v, 0.1, 3, dual)[0]
    assert (warm - exact).norm() < 0.05 * (cold - exact).norm()


def test_prox_tv_keeps_bounds_and_zero_weight_leaves_the_image():
    v = 2 * rand(1, 1, 8, 8) - 0.5
    u, _ = prox_tv(v, 0.05, 50, bounds=(0.0, 1.0))
    assert 0 <= float(u.min()) <= float(u.max()) <= 1
    torch.testing.assert_close(prox_tv(v, 0.0, 5)[0], v)


def test_the_gradient_split_is_the_textbook_update():
    x, tau, relaxation = rand(2, 1, 8, 8), 0.1, 1.5
    split, u, d = GradientSplit(x, tau, relaxation), differences(x), torch.zeros(2, 2, 1, 8, 8, dtype=x.dtype)
    for seed in range(1, 4):
        x = rand(2, 1, 8, 8, seed=seed)
        moved = relaxation * differences(x) + (1 - relaxation) * u + d
        length = torch.linalg.vector_norm(moved, dim=0)
        u = moved * (1 - tau / length).clamp(min=0)
        d = moved - u
        torch.testing.assert_close(split.update(x), difference_adjoint(u - d), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("gain", "sigma"), [(0.0, 0.02), (1e-6, 0.02), (0.01, 0.02), (0.01, 0.0), (0.3, 0.0)])
def test_the_poisson_gaussian_prox_is_stationary(gain: float, sigma: float):
    v, y, weight = 1.5 * rand(1, 1, 8, 8) - 0.2, rand(1, 1, 8, 8, seed=1) + 0.01, 50.0
    g, s = (torch.full((1, 1, 1, 1), a, dtype=torch.float64) for a in (gain, sigma))
    x = prox_poisson_gaussian(v, y, g, s, weight)
    # d/dx -log p = (x - y) / (gain x + sigma^2) for the shifted Poisson
    assert (gain * x + sigma**2 > 0).all()
    torch.testing.assert_close(weight * (x - v) * (gain * x + sigma**2), y - x, rtol=0, atol=1e-9)


def test_the_poisson_gaussian_prox_takes_impossible_counts_as_zero():
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    x = prox_poisson_gaussian(0.5 * one, -3 * one, 0.01 * one, 0.01 * one, 4.0)
    assert torch.isfinite(x).all()
    assert float(x) == pytest.approx(max(0.5 - 1 / (0.01 * 4.0), -0.01))


def test_the_noise_variance_is_never_zero_and_weights_grow_with_the_noise():
    silent, loud = (problem([camera()], sigma=s)[0] for s in (0.0, 0.04))
    assert float(noise_variance(silent)) > 0
    assert float(tv_weight(loud, 0.5)) == pytest.approx(0.5 * 0.04**1.5)
