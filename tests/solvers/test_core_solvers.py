"""What every classical solver must do: Wiener, Tikhonov, Richardson-Lucy, TV by ADMM, by FISTA, and with KL."""

from typing import Any

import numpy as np
import pytest
import torch

from bench.contracts import NoiseLevel
from bench.imaging.blur import Boundary
from bench.methods.problem import Solver
from bench.plugins.lookup import find_plugin, load_plugin
from tests.problems import camera, problem, psnr

RichardsonLucy: Any = load_plugin(find_plugin("solver", "richardson_lucy"))
Tikhonov: Any = load_plugin(find_plugin("solver", "tikhonov"))
TV: Any = load_plugin(find_plugin("solver", "tv"))
TVFista: Any = load_plugin(find_plugin("solver", "tv_fista"))
TVKL: Any = load_plugin(find_plugin("solver", "tv_kl"))
Wiener: Any = load_plugin(find_plugin("solver", "wiener"))

SOLVERS: list[Solver] = [
    Wiener(),
    Wiener(prior="flat"),
    Wiener(prior="laplacian"),
    Tikhonov(),
    RichardsonLucy(),
    RichardsonLucy(tv=0.01),
    TV(),
    TVFista(steps=40),
    TVKL(),
]
every_solver = pytest.mark.parametrize("solver", SOLVERS, ids=repr)
both_boundaries = pytest.mark.parametrize("boundary", ["valid", "circular"])
DELTA = np.pad([[1.0]], 2)


def three() -> list[np.ndarray]:
    """A bright, a dark and a contrasty picture."""
    x = camera(40)
    return [x, 0.2 * x[:, ::-1].copy(), 1 - x.transpose(0, 2, 1)]


@every_solver
@both_boundaries
def test_an_estimate_does_not_depend_on_the_batch_it_rode_in(solver: Solver, boundary: Boundary):
    # Equal up to rounding: FFT libraries may order their sums differently for another number of images.
    scenes = three()
    together, _ = problem(scenes, boundary=boundary, gain=0.001)
    x = solver.solve(together)
    for i in range(3):
        alone = type(together)(
            y=together.y[i : i + 1],
            blur=type(together.blur)(together.psf[i : i + 1], together.blur.shape, boundary),
            noise=type(together.noise)(*(level[i : i + 1] for level in together.noise)),
            rng=together.rng[i : i + 1],
        )
        torch.testing.assert_close(solver.solve(alone), x[i : i + 1], rtol=0, atol=1e-10)


@every_solver
@both_boundaries
def test_single_and_double_precision_agree(solver: Solver, boundary: Boundary):
    estimates = []
    for dtype in (torch.float32, torch.float64):
        data, _ = problem(three(), boundary=boundary, gain=0.001, dtype=dtype)
        x = solver.solve(data)
        assert x.dtype == dtype
        assert x.shape == data.y.shape
        estimates.append(x.double())
    torch.testing.assert_close(*estimates, rtol=0, atol=2e-3)


@every_solver
@both_boundaries
def test_a_colour_channel_is_restored_like_a_gray_image(solver: Solver, boundary: Boundary):
    # Channels share PSF and noise variance, which is constant here.
    scenes = three()
    gray, _ = problem(scenes, boundary=boundary)
    colour, _ = problem([np.concatenate(scenes)], boundary=boundary)
    colour.y[0] = gray.y[:, 0]
    torch.testing.assert_close(solver.solve(colour)[0], solver.solve(gray)[:, 0], rtol=0, atol=1e-10)


@every_solver
@both_boundaries
def test_without_blur_and_noise_the_measurement_is_the_estimate(solver: Solver, boundary: Boundary):
    data, truth = problem([camera()], DELTA, sigma=1e-4, boundary=boundary)
    x = solver.solve(data)
    torch.testing.assert_close(x, data.y, rtol=0, atol=5e-3 if getattr(solver, "tv", 0) == 0 else 0.2)
    assert psnr(x, truth) > (50 if getattr(solver, "tv", 0) == 0 else 25)


@every_solver
@both_boundaries
def test_a_constant_image_stays_constant(solver: Solver, boundary: Boundary):
    data, truth = problem([np.full((1, 40, 44), 0.4)], sigma=0.0, boundary=boundary, claimed=NoiseLevel(0.0, 2 / 255))
    torch.testing.assert_close(solver.solve(data), truth, rtol=0, atol=1e-5)


# Not Richardson-Lucy with TV: its gradient ends at the border, as that of a picture.
@pytest.mark.parametrize("solver", [s for s in SOLVERS if not getattr(s, "tv", 0)], ids=repr)
def test_a_shifted_circular_measurement_gives_the_shifted_estimate(solver: Solver):
    data, _ = problem([camera()])
    shifted = type(data)(y=data.y.roll((7, -12), (-2, -1)), blur=data.blur, noise=data.noise, rng=data.rng)
    expected = solver.solve(data).roll((7, -12), (-2, -1))
    got = solver.solve(shifted)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("solver", [s for s in SOLVERS if getattr(s, "prior", "") != "flat"], ids=repr)
@both_boundaries
@pytest.mark.parametrize("sigma", [0.5 / 255, 8 / 255])
def test_the_default_settings_improve_the_measurement(solver: Solver, boundary: Boundary, sigma: float):
    # Photographs are not white: the flat prior, kept for comparison, wants a balance of its own.
    data, truth = problem([camera()], sigma=sigma, boundary=boundary, dtype=torch.float32)
    assert psnr(solver.solve(data), truth, 8) > psnr(data.y, truth, 8) + 0.5


@every_solver
@both_boundaries
def test_silence_is_solved_without_a_division_by_zero(solver: Solver, boundary: Boundary):
    data, truth = problem([camera()], sigma=0.0, boundary=boundary, dtype=torch.float32)
    x = solver.solve(data)
    assert torch.isfinite(x).all()
    assert psnr(x, truth, 8) > psnr(data.y, truth, 8)
