"""The blur operator: adjoint, direction, boundaries, counting, and its face towards deepinv."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from bench.contracts import Exposed, Image, Noise, NoiseLevel
from bench.errors import WithheldError
from bench.imaging.blur import Blur, Boundary, convolve, otf
from bench.imaging.measure import measure
from bench.methods.make_problem import assemble
from bench.seeds import generator

BOUNDARIES: tuple[Boundary, ...] = ("valid", "circular")


def psfs(n: int, h: int, w: int) -> torch.Tensor:
    k = torch.from_numpy(generator("psf", h, w).random((n, 1, h, w)))
    return k / k.sum((-2, -1), keepdim=True)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("kernel", "shape"), [((5, 7), (32, 33)), ((1, 9), (31, 40)), ((31, 31), (64, 48))])
def test_the_adjoint_is_exact(boundary: Boundary, kernel: tuple[int, int], shape: tuple[int, int]) -> None:
    blur = Blur(psfs(3, *kernel), shape, boundary)
    rng = generator("adjoint")
    x = torch.from_numpy(rng.standard_normal((3, 2, *blur.scene_shape)))
    y = torch.from_numpy(rng.standard_normal((3, 2, *shape)))
    left, right = (blur.A(x) * y).sum(), (x * blur.A_adjoint(y)).sum()
    assert abs(left - right) <= 1e-10 * abs(left)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_deepinv_physics_is_adjoint_and_equal(boundary: Boundary) -> None:
    from bench.methods.libraries.deepinv_physics import BlurPhysics

    blur = Blur(psfs(2, 5, 7), (24, 24), boundary)
    physics = BlurPhysics(blur, NoiseLevel(torch.tensor([0.0, 0.01]), torch.tensor([0.01, 0.02])))
    x = torch.from_numpy(generator("x").random((2, 1, *blur.scene_shape)))
    assert abs(float(physics.adjointness_test(x))) < 1e-10
    assert torch.equal(physics.A(x), blur.A(x))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_deepinv_prox_minimises_its_objective(boundary: Boundary) -> None:
    from bench.methods.libraries.deepinv_physics import BlurPhysics

    blur = Blur(psfs(1, 5, 5), (16, 16), boundary)
    physics = BlurPhysics(blur, NoiseLevel(torch.zeros(1), torch.full((1,), 0.01)))
    rng = generator("prox")
    z = torch.from_numpy(rng.random((1, 1, *blur.scene_shape)))
    y = torch.from_numpy(rng.random((1, 1, 16, 16)))
    x = physics.prox_l2(z, y, 3.0, tol=1e-12, max_iter=500)
    gradient = 3.0 * blur.A_adjoint(blur.A(x) - y) + x - z
    assert gradient.abs().max() < 1e-5


def test_blurring_convolves_and_does_not_correlate() -> None:
    k = psfs(1, 5, 7)
    scene = torch.from_numpy(generator("scene").random((1, 1, 20, 24)))
    blur = Blur(k, (16, 18), "valid")
    expected = convolve2d(scene[0, 0].numpy(), k[0, 0].numpy(), mode="valid")
    assert np.abs(blur.A(scene)[0, 0].numpy() - expected).max() < 1e-14


def test_each_image_of_a_batch_gets_its_own_kernel() -> None:
    k = psfs(3, 5, 5)
    x = torch.from_numpy(generator("x").random((3, 1, 20, 20)))
    together = Blur(k, (16, 16), "valid").A(x)
    for i in range(3):
        alone = Blur(k[i : i + 1], (16, 16), "valid").A(x[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-14)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_constant_stays_constant(boundary: Boundary) -> None:
    blur = Blur(psfs(1, 7, 5), (20, 20), boundary)
    assert torch.allclose(
        blur.A(torch.full((1, 1, *blur.scene_shape), 0.4, dtype=torch.float64)), torch.tensor(0.4).double()
    )


def test_shifting_the_scene_shifts_a_circular_measurement() -> None:
    blur = Blur(psfs(1, 5, 5), (16, 16), "circular")
    x = torch.from_numpy(generator("x").random((1, 1, 16, 16)))
    moved = blur.A(torch.roll(x, (3, -2), (-2, -1)))
    assert torch.allclose(moved, torch.roll(blur.A(x), (3, -2), (-2, -1)), atol=1e-14)


def test_a_psf_larger_than_the_grid_is_refused_and_not_cropped() -> None:
    with pytest.raises(ValueError, match="larger than the grid"):
        otf(psfs(1, 9, 9), (8, 8))


def test_a_centred_delta_is_the_identity() -> None:
    delta = torch.zeros(1, 1, 3, 5, dtype=torch.float64)
    delta[..., 1, 2] = 1
    x = torch.from_numpy(generator("x").random((1, 1, 8, 9)))
    assert torch.allclose(convolve(x, otf(delta, (8, 9))), x, atol=1e-15)


def test_calls_are_counted() -> None:
    blur = Blur(psfs(1, 3, 3), (8, 8), "circular")
    x = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    blur.A(x)
    blur.A(x)
    blur.A_adjoint(x)
    assert (blur.cost.n_A, blur.cost.n_At) == (2, 1)


class Quiet(Noise):
    """No noise."""

    def level(self, T: float) -> NoiseLevel:
        return NoiseLevel(0.0, 0.0)

    def sample(self, clean: np.ndarray, T: float, rng: np.random.Generator) -> np.ndarray:
        return clean


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_measurement_is_what_the_told_operator_makes_of_the_scene(boundary: Boundary) -> None:
    k = psfs(1, 5, 7)[0, 0].numpy()
    image = Image("x", generator("x").random((3, 40, 40)), 4)
    m = measure(image, Exposed(k), Quiet(), generator("n"), boundary)
    problem = assemble([m], [generator("s")], boundary=boundary, dtype=torch.float64)
    blur = problem.blur
    a, b = (4 - 2, 4 - 3) if boundary == "valid" else (4, 4)
    scene = torch.from_numpy(image.scene[None, :, a : 40 - a, b : 40 - b])
    assert torch.allclose(blur.A(scene), problem.y, atol=1e-13)
    assert torch.allclose(blur.crop(scene)[0], torch.from_numpy(m.truth))


def test_a_margin_that_is_too_small_for_the_kernel_is_named() -> None:
    from bench.errors import DataError

    with pytest.raises(DataError, match=r"'x': a PSF of 5 x 7 pixels needs 3 .* margin: 2"):
        measure(Image("x", np.zeros((1, 20, 20)), 2), Exposed(psfs(1, 5, 7)[0, 0].numpy()), Quiet(), generator())


def test_a_blind_problem_hides_kernel_and_noise() -> None:
    m = measure(Image("x", np.zeros((1, 20, 20)), 2), Exposed(psfs(1, 3, 3)[0, 0].numpy()), Quiet(), generator())
    problem = assemble([m], [generator()], blind=True)
    assert not hasattr(problem, "blur")
    for name in ("psf", "blur", "noise", "variance", "physics"):
        with pytest.raises(WithheldError, match=r"no (blur|noise).* blind = True"):
            getattr(problem, name)
    with pytest.raises(WithheldError, match="no needs_prior"):
        _ = problem.prior


def test_randomness_of_a_solver_belongs_to_the_image_and_not_to_the_batch() -> None:
    m = measure(Image("x", np.zeros((1, 20, 20)), 2), Exposed(psfs(1, 3, 3)[0, 0].numpy()), Quiet(), generator())
    two = assemble([m, m], [generator("a"), generator("b")]).randn(1, 4, 4)
    one = assemble([m], [generator("b")]).randn(1, 4, 4)
    assert torch.equal(two[1], one[0])
