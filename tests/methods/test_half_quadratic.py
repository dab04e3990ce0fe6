"""The data step of half-quadratic splitting: its closed forms, its limits, its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.imaging.blur import convolve, otf
from bench.methods.networks.half_quadratic import Seen
from tests.problems import camera, problem, shake

H = W = 10
EXACT = {"tolerance": 1e-12, "most": 300}


def seen(masked: bool = True, sigma: float = 0.1, psf: np.ndarray | None = None, n: int = 1) -> Seen:
    """Random numbers, of which the sensor sees a window; noise that differs from pixel to pixel."""
    rng = torch.Generator().manual_seed(0)
    y = torch.randn(n, 1, H, W, generator=rng, dtype=torch.float64)
    mask = torch.ones_like(y)
    variance = torch.full((n, 1, 1, 1), sigma**2, dtype=torch.float64)
    if masked:
        mask[..., :2, :] = mask[..., -1:] = 0
        variance = sigma**2 * (0.5 + torch.rand(n, 1, H, W, generator=rng, dtype=torch.float64))
    kernel = torch.as_tensor(shake(5) if psf is None else psf)[None, None].expand(n, 1, -1, -1)
    return Seen(mask * y, mask, otf(kernel, (H, W)), variance, **EXACT)


def spectrum(n: int = 1) -> Tensor:
    """A positive power spectrum, C(f) = 1 / (0.1 + |f|²)."""
    f2 = torch.fft.fftfreq(H).double()[:, None] ** 2 + torch.fft.rfftfreq(W).double() ** 2
    return (1 / (0.1 + f2)).expand(n, 1, -1, -1).clone()


def step(data: Seen, z: Tensor, C: Tensor) -> Tensor:
    return z + data.shift(data.residual(z), C)[0]


def matrix(linear: object) -> Tensor:
    """The matrix of a linear map of canvases."""
    basis = torch.eye(H * W, dtype=torch.float64).view(-1, 1, H, W)
    return linear(basis).flatten(1).T  # type: ignore[operator]


def test_the_data_step_minimises_the_two_quadratics_with_an_unknown_boundary() -> None:
    """(AᵀΣ⁻¹A + C⁻¹) x = AᵀΣ⁻¹y + C⁻¹z with dense matrices, A = M K."""
    data, C = seen(), spectrum()
    z = torch.randn(1, 1, H, W, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    A = matrix(lambda x: data.mask * convolve(x, data.K))
    precision = matrix(lambda x: convolve(x, 1 / C))
    weighted = A.T / data.variance.flatten()
    wanted = torch.linalg.solve(weighted @ A + precision, weighted @ data.y.flatten() + precision @ z.flatten())
    assert torch.allclose(step(data, z, C).flatten(), wanted, atol=1e-8)


def test_on_a_whole_torus_it_is_a_division_of_spectra() -> None:
    data, C = seen(masked=False), spectrum()
    z = torch.randn(1, 1, H, W, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    v, F = data.variance, torch.fft.rfft2
    wanted = (data.K.conj() * F(data.y) / v + F(z) / C) / (data.K.abs().square() / v + 1 / C)
    assert torch.allclose(F(step(data, z, C)), wanted, atol=1e-9)
    assert data.cost.n_A == 1


def test_without_blur_and_with_a_white_prior_it_is_a_weighted_mean_where_the_sensor_saw() -> None:
    data = seen(psf=np.ones((1, 1)))
    z, C = torch.full((1, 1, H, W), 0.3, dtype=torch.float64), torch.full_like(spectrum(), 0.2)
    wanted = torch.where(data.mask > 0, (0.2 * data.y + data.variance * z) / (0.2 + data.variance), z)
    assert torch.allclose(step(data, z, C), wanted, atol=1e-9)


def test_a_certain_estimate_stays_and_noiseless_data_are_met() -> None:
    z = torch.zeros(1, 1, H, W, dtype=torch.float64)
    assert float(step(seen(), z, 1e-14 * spectrum()).abs().max()) < 1e-9
    data = seen(sigma=1e-5)
    assert float(data.residual(step(data, z, spectrum())).abs().max()) < 1e-6


def test_its_gradient_in_the_residual_and_in_the_spectrum_is_that_of_finite_differences() -> None:
    data, C = seen(), spectrum()
    r = (data.mask * 0.5).requires_grad_()
    gain = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)

    def shifted(r: Tensor, gain: Tensor) -> Tensor:
        return data.shift(data.mask * r, gain * C)[0]

    assert torch.autograd.gradcheck(shifted, (r, gain), atol=1e-6, rtol=1e-4, check_undefined_grad=False)


def test_a_picture_is_not_disturbed_by_one_that_takes_longer() -> None:
    """Conjugate gradients go on until the last of a batch has converged; an early one stays as it was, and finite."""
    easy, hard = 1.0, 1e-3
    data = seen(n=2)
    variance = data.variance * torch.tensor([easy, hard]).view(-1, 1, 1, 1).double()
    both = Seen(data.y, data.mask, data.K, variance, tolerance=1e-8, most=300)
    z = torch.zeros_like(data.y)
    together = step(both, z, spectrum(2))
    for i in range(2):
        alone = Seen(data.y[[i]], data.mask[[i]], data.K[[i]], variance[[i]], tolerance=1e-8, most=300)
        assert torch.allclose(together[[i]], step(alone, z[[i]], spectrum()), atol=1e-7)


@pytest.mark.parametrize("boundary", ["valid", "circular"])
def test_what_a_problem_shows_is_its_measurement_on_a_canvas_that_holds_the_scene(boundary: str) -> None:
    """The true scene explains it up to the noise; sides are multiples of the stride where something is unknown."""
    scene = camera(64)
    made, _ = problem([scene], boundary=boundary, sigma=1e-6)  # type: ignore[arg-type]
    data = Seen.of(made, 8)
    assert data.y.shape[-2:] == (64, 64)
    residual = data.residual(2 * torch.as_tensor(scene)[None] - 1)
    assert float(residual.abs().max()) < 1e-4
    assert float(data.mask.sum()) == made.y.numel()


def test_variance_follows_the_photons_of_each_pixel_and_colours_are_apart() -> None:
    made, _ = problem([np.concatenate([camera(32)] * 3)], boundary="valid", gain=1e-3, sigma=0.01)
    data = Seen.of(made)
    assert data.y.shape[0] == 3
    assert data.variance.shape == data.y.shape
    inside = data.variance[data.mask > 0]
    assert float(inside.min()) >= 4 * 0.01**2
    assert float(inside.mean()) == pytest.approx(4 * (1e-3 * float(made.y.mean()) + 0.01**2), rel=0.02)
