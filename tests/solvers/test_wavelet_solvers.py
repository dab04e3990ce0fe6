"""haar_fista, tv_haar, l1_autograd, wiener_admm_tv: what they minimise, and that images do not mix."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.imaging.blur import Boundary
from bench.methods.classical.differences import difference_adjoint, differences
from bench.methods.classical.haar import analyse, extend, padded_shape, prox_details
from bench.methods.classical.optim import project_balls, tv_weight
from bench.methods.libraries.planes import alone
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from tests.problems import camera, problem, psnr, shake

BOUNDARIES: tuple[Boundary, ...] = ("circular", "valid")
NAMES = ("haar_fista", "tv_haar", "l1_autograd", "wiener_admm_tv")


def solver(name: str, **settings: object) -> Solver:
    plugin = find_plugin("solver", name)
    return build(plugin, load_plugin(plugin), settings)


def scenes(n: int, channels: int, size: int) -> list[np.ndarray]:
    picture = np.concatenate([camera(64), camera(64)[:, ::-1], camera(64).transpose(0, 2, 1)])
    return [np.roll(picture, 7 * i, -1)[:channels, :size, :size] for i in range(n)]


def primal_dual(
    p: Problem, prox: Callable[[Tensor], Tensor], project: Callable[[Tensor], Tensor], side: int
) -> Tensor:
    """A slow reference of another kind: Condat (2013) algorithm 3.1 for |A x - y|^2 / 2 + g(x) + h(D x).

    g sees ``side`` x ``side`` pixels, of which A and D see those in the upper left that the image has.
    """
    tau, sigma = 1.0, 1 / 16  # 1 / tau - 8 sigma >= 1 / 2
    (H, W), blur = p.blur.shape, p.blur
    x = torch.zeros(1, 1, side, side, dtype=p.y.dtype)
    u = torch.zeros_like(differences(p.y))
    for _ in range(2000):
        seen = x[..., :H, :W]
        slope = blur.A_adjoint(blur.A(seen) - p.y) + difference_adjoint(u)
        x_next = prox(x - tau * extend(slope, (side, side)))
        u = project(u + sigma * differences((2 * x_next - x)[..., :H, :W]))
        x = x_next
    return x


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_its_batch(name: str, boundary: Boundary):
    p, _ = problem(scenes(3, 3, 37), boundary=boundary, dtype=torch.float32)
    method = solver(name, steps=10)
    together = method.solve(p)
    for i in range(3):
        assert torch.equal(together[i : i + 1], method.solve(alone(p, i)))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [33, 40])
def test_the_estimate_is_aligned_with_the_measurement_and_better(name: str, boundary: Boundary, size: int):
    p, truth = problem(scenes(1, 1, size), boundary=boundary, dtype=torch.float32)
    x = solver(name).solve(p)
    assert x.shape == p.y.shape
    assert x.dtype == p.y.dtype
    assert psnr(x, truth) > psnr(p.y, truth) + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_smaller_than_the_wavelets_is_no_obstacle(name: str):
    p, _ = problem([camera()[:, :5, :7]], psf=shake(3), sigma=0.0)
    assert solver(name, steps=3).solve(p).isfinite().all()


def test_haar_fista_without_spinning_reaches_a_stationary_point():
    """At the minimum the averages of the data term's gradient vanish and its details stay within the weight."""
    p, _ = problem([camera()[:, :16, :16]], psf=shake(5))
    x = solver("haar_fista", steps=800, cycle_spinning=False, lam=1.0).solve(p)
    weight, blur = tv_weight(p, 1.0), p.blur
    slope, at = analyse(blur.A_adjoint(p.y - blur.A(x)), 3), analyse(x, 3)
    assert slope.coarse.abs().max() < 1e-3 * weight
    for g, d in zip(slope.details, at.details, strict=True):
        assert (g.abs() <= 1.001 * weight).all()
        large = d.abs() > 1e-4
        torch.testing.assert_close(g[large], (weight[:, None] * d.sign())[large], rtol=1e-3, atol=0)


def test_cycle_spinning_removes_blocks():
    p, truth = problem([camera()])
    plain, spun = (solver("haar_fista", cycle_spinning=c).solve(p) for c in (False, True))
    assert psnr(spun, truth, 8) > psnr(plain, truth, 8) + 1


@pytest.mark.parametrize("side", [16, 20])
def test_tv_haar_reaches_the_minimum_of_a_slow_reference(side: int):
    """Also where 2^levels does not divide the side: pixels beyond the image are free, only the wavelets see them."""
    p, _ = problem([camera()[:, :side, :side]], psf=shake(5), sigma=0.02)
    weight, haar, levels = tv_weight(p, 0.5), 0.5, 3
    x = solver("tv_haar", lam=0.5, haar=haar, levels=levels, steps=1000).solve(p)
    prox = partial(prox_details, threshold=haar * weight, levels=levels)
    padded = padded_shape((side, side), levels)[0]
    reference = primal_dual(p, prox, partial(project_balls, radius=weight), padded)[..., :side, :side]
    torch.testing.assert_close(x, reference, rtol=0, atol=2e-3)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_tv_haar_without_wavelets_is_tv(boundary: Boundary):
    p, _ = problem(scenes(1, 1, 36), boundary=boundary)
    expected = solver("tv", lam=0.5, steps=600).solve(p)
    difference = solver("tv_haar", lam=0.5, haar=0.0, steps=600).solve(p) - expected
    assert difference.square().mean().sqrt() < 5e-4


def test_wiener_admm_tv_reaches_the_minimum_of_a_slow_reference():
    p, _ = problem([camera()[:, :20, :20]], psf=shake(5), sigma=0.02)
    weight = tv_weight(p, 0.5)
    x = solver("wiener_admm_tv", lam=0.5, steps=1000).solve(p)
    reference = primal_dual(p, lambda v: v, lambda u: u.clamp(-weight, weight), 20)

    def J(x: Tensor) -> float:
        return float((p.blur.A(x) - p.y).square().sum() / 2 + (weight * differences(x).abs()).sum())

    assert J(x) == pytest.approx(J(reference), rel=1e-5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_autograd_takes_the_steps_of_the_closed_form_gradient(boundary: Boundary):
    p, _ = problem(scenes(2, 3, 24), boundary=boundary)
    blur, lam = p.blur, tv_weight(p, 20.0)
    a, b = blur.margin
    u = torch.nn.functional.pad(p.y, (b, b, a, a), mode="replicate")
    for _ in range(3):
        u = u - 0.01 * (blur.A_adjoint(blur.A(u) - p.y) + lam * u.sign())
    x = solver("l1_autograd", steps=3, lam=20.0).solve(p)
    torch.testing.assert_close(x, blur.crop(u), rtol=0, atol=1e-14)


def test_autograd_runs_inside_no_grad_and_leaves_no_graph():
    p, _ = problem(scenes(1, 1, 16))
    with torch.no_grad():
        x = solver("l1_autograd", steps=2).solve(p)
    assert not x.requires_grad


def test_autograd_counts_the_adjoints_that_it_takes():
    p, _ = problem(scenes(1, 1, 16))
    solver("l1_autograd", steps=7).solve(p)
    assert (p.cost.n_A, p.cost.n_At) == (7, 7)


@pytest.mark.slow
def test_haar_fista_beats_the_fista_of_both_libraries_on_the_photographer_under_camera_shake():
    """128 x 128, Boracchi-Foi shake of length 40, sigma = 2 / 255, each method at its best weight of three."""
    plugin = find_plugin("operator", "boracchi_foi")
    shaken = build(plugin, load_plugin(plugin), {"length": 40.0, "size": 31})
    p, truth = problem([camera(128)], shaken.psf(np.random.default_rng(0)).psf, dtype=torch.float32)

    def best(name: str, key: str, default: float, **settings: object) -> float:
        weights = (0.7 * default, default, 1.4 * default)
        return max(psnr(solver(name, **{key: w}, **settings).solve(p), truth, 16) for w in weights)

    ours = best("haar_fista", "lam", 1.1)
    assert ours > 25.2
    assert ours > best("pylops_fista_haar", "eps", 2.2) + 1.5
    assert ours > best("deepinv_model", "weight", 0.5, model="fista_haar") + 1.5


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("haar_fista", {"lam": -1.0}),
        ("haar_fista", {"levels": 0}),
        ("tv_haar", {"lam": 0.0}),
        ("tv_haar", {"steps": 0}),
        ("l1_autograd", {"lr": 2.5}),
        ("wiener_admm_tv", {"lam": 0.0}),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, settings: dict[str, float]):
    with pytest.raises(SettingError, match=f"{name}: .*{next(iter(settings))}"):
        solver(name, **settings)
