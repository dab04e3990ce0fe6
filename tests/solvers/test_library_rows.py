"""The rows of scikit-image, pylops and pyproximal: fair to the library, no image touches another."""

import sys

import numpy as np
import pytest
import torch

from bench import PluginError, SettingError, Solver
from bench.contracts import NoiseLevel
from bench.imaging.blur import Boundary
from bench.methods.classical.differences import difference_adjoint, differences
from bench.methods.classical.optim import noise_variance
from bench.methods.classical.padding import crop, surround
from bench.methods.libraries.planes import alone, impulse_response, pylops_blur
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from tests.problems import camera, problem, psnr, shake

BOUNDARIES: tuple[Boundary, ...] = ("circular", "valid")
SKIMAGE = ("skimage_wiener", "skimage_unsupervised_wiener", "skimage_richardson_lucy")
NAMES = (*SKIMAGE, "pylops_fista_haar", "pylops_tv", "pylops_tv_haar", "pyproximal_tv")
FEW = {
    "pylops_fista_haar": {"niter": 5},
    "pylops_tv": {"niter_outer": 2},
    "pylops_tv_haar": {"niter_outer": 2},
    "pyproximal_tv": {"niter": 5},
}


def solver(name: str, **settings: object) -> Solver:
    plugin = find_plugin("solver", name)
    return build(plugin, load_plugin(plugin), settings)


def scenes(n: int, channels: int = 3, size: int = 35) -> list[np.ndarray]:
    picture = np.concatenate([camera(64), camera(64)[:, ::-1], camera(64).transpose(0, 2, 1)])
    return [np.roll(picture, 7 * i, -1)[:channels, :size, :size] for i in range(n)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", NAMES)
def test_an_image_depends_neither_on_its_batch_nor_on_what_was_solved_before(name: str, boundary: Boundary):
    (p, _), (again, _) = (problem(scenes(2), boundary=boundary, dtype=torch.float32) for _ in range(2))
    method = solver(name, **FEW.get(name, {}))
    assert torch.equal(method.solve(p)[1:], method.solve(alone(again, 1)))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", NAMES)
def test_the_estimate_is_aligned_with_the_measurement_and_better(name: str, boundary: Boundary):
    p, truth = problem(scenes(1, channels=1, size=48), boundary=boundary, dtype=torch.float32)
    x = solver(name).solve(p)
    assert x.shape == p.y.shape
    assert x.dtype == p.y.dtype
    assert psnr(x, truth, 6) > psnr(p.y, truth, 6) + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_noise_level_told_as_zero_is_no_obstacle(name: str):
    p, _ = problem(scenes(1, channels=1), claimed=NoiseLevel(0.0, 0.0))
    assert solver(name, **FEW.get(name, {})).solve(p).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_picture_is_no_obstacle(name: str):
    p, _ = problem([camera()[:, :5, :7]], psf=shake(3))
    assert solver(name, **FEW.get(name, {})).solve(p).isfinite().all()


@pytest.mark.parametrize("shape", [(24, 30), (9, 16)])
def test_skimage_wiener_is_its_formula_with_the_true_transfer_function(shape: tuple[int, int]):
    """Also for 9 x 16 pixels, whose half spectrum has the shape of the 9 x 9 PSF: no formula is confused by that."""
    p, _ = problem([camera()[:, : shape[0], : shape[1]]])
    K = p.blur.otf(shape)
    fv, fh = torch.fft.fftfreq(shape[0]).double(), torch.fft.rfftfreq(shape[1]).double()
    laplacian = 4 - 2 * torch.cos(2 * torch.pi * fv)[:, None] - 2 * torch.cos(2 * torch.pi * fh)
    W = K.conj() / (K.abs() ** 2 + 30 * noise_variance(p) * laplacian**2)
    expected = torch.fft.irfft2(W * torch.fft.rfft2(p.y), s=shape)
    torch.testing.assert_close(solver("skimage_wiener", balance=30.0).solve(p), expected, rtol=0, atol=1e-6)


def test_an_impulse_response_stays_real_and_centred():
    psf = shake(9)
    assert impulse_response(psf, (24, 30)) is psf
    framed = impulse_response(psf, (9, 16))
    assert np.isrealobj(framed)
    np.testing.assert_array_equal(framed[:, 1:-1], psf)


def test_the_gibbs_sampler_draws_from_the_generator_of_the_image():
    (p, _), (again, _) = (problem(scenes(1, channels=1)) for _ in range(2))
    method = solver("skimage_unsupervised_wiener")
    first = method.solve(p)
    assert torch.equal(first, method.solve(again))
    assert not torch.equal(first, method.solve(p))  # its generator has moved on


def test_richardson_lucy_returns_what_an_impulse_did_not_blur():
    p, _ = problem([camera()[:, :20, :20]], psf=np.pad([[1.0]], 2))
    x = solver("skimage_richardson_lucy", num_iter=3).solve(p)
    torch.testing.assert_close(x, p.y.clamp(min=0), rtol=0, atol=1e-9)


def test_richardson_lucy_does_not_see_the_edge_of_circular_data():
    p, truth = problem([camera(64)], sigma=0.0, claimed=NoiseLevel(0.0, 1e-3))
    rolled, _ = problem([np.roll(camera(64), (31, 17), (1, 2))], sigma=0.0, claimed=NoiseLevel(0.0, 1e-3))
    method = solver("skimage_richardson_lucy", num_iter=4)
    x, x_rolled = method.solve(p), method.solve(rolled)
    # The library is zero outside what it is given; one PSF of periodic continuation keeps that from the picture.
    assert (torch.roll(x, (31, 17), (-2, -1)) - x_rolled).square().mean().sqrt() < 5e-3
    assert psnr(x, truth) > psnr(p.y, truth)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_pylops_operator_is_the_blur_and_its_adjoint(boundary: Boundary):
    p, _ = problem(scenes(1, channels=1), boundary=boundary)
    A, blur = pylops_blur(p.blur), p.blur
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(A.shape[1]), rng.standard_normal(A.shape[0])
    Ax, Aty = np.asarray(A.matvec(x)), np.asarray(A.rmatvec(y))
    assert Ax @ y == pytest.approx(x @ Aty, rel=1e-12)
    image = torch.from_numpy(x).view(1, 1, *blur.scene_shape)
    np.testing.assert_allclose(Ax, blur.A(image).numpy().ravel(), atol=1e-14)


@pytest.mark.parametrize("name", ["pylops_fista_haar", "pylops_tv", "pyproximal_tv"])
def test_operator_calls_are_counted_where_the_batch_counts(name: str):
    p, _ = problem(scenes(2, channels=1))
    solver(name, **FEW[name]).solve(p)
    assert p.cost.n_A >= 10
    assert p.cost.n_At >= 10


def test_pylops_fista_finds_what_haar_fista_finds():
    """The same problem but for the averages, which pylops thresholds too: close, not equal."""
    p, truth = problem([camera(64)])
    theirs = solver("pylops_fista_haar", eps=2.2, niter=300).solve(p)
    ours = solver("haar_fista", lam=1.1, steps=300, cycle_spinning=False).solve(p)
    assert psnr(theirs, ours) > psnr(theirs, truth) + 10


def test_pylops_tv_haar_is_lowest_in_its_objective_on_the_way_to_what_lowers_its_parts():
    """F = |A x - y|²/2 + λ (|D x|_1 + haar |W x|_1) is convex: at its minimum no direction leads down."""
    from pylops.signalprocessing import DWT2D

    p, truth = problem([camera(32)], shake(5), sigma=4 / 255)
    lam, haar = (4 * float(noise_variance(p).sqrt())) ** 2 / 1.5, 0.5
    W = DWT2D((32, 32), wavelet="haar", level=3)

    def objective(x: torch.Tensor) -> float:
        wavelets = np.abs(W.matvec(x[0, 0].numpy().astype(np.float64).ravel())).sum()
        fit = (p.blur.A(x) - p.y).square().sum() / 2
        return float(fit + lam * (differences(x, "neumann").abs().sum() + haar * wavelets))

    x = solver("pylops_tv_haar", haar=haar, niter_outer=60).solve(p)
    others = [solver("pylops_tv", niter_outer=60).solve(p), solver("pylops_fista_haar").solve(p), truth, p.y]
    for other in others:
        assert objective(x) < objective(other)
        assert objective(x) < 1.001 * min(objective(x + t * (other - x)) for t in (-0.3, -0.1, 0.1, 0.3, 0.6))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_one_image_taken_out_of_a_batch_is_the_same_problem(boundary: Boundary):
    p, _ = problem(scenes(3), boundary=boundary, gain=0.001)
    one = alone(p, 1)
    assert torch.equal(one.y, p.y[1:2])
    assert torch.equal(one.variance, p.variance[1:2])
    assert one.blur.scene_shape == p.blur.scene_shape
    assert one.rng == (p.rng[1],)
    assert one.cost is p.cost


def test_valid_data_are_surrounded_by_at_least_one_psf_and_circular_data_are_left_alone():
    valid, _ = problem(scenes(1), boundary="valid")
    y, sides = surround(valid, "blend")
    assert min(sides) >= 9
    assert torch.equal(crop(y, sides), valid.y)
    circular, _ = problem(scenes(1))
    assert surround(circular, "blend")[1] == (0, 0, 0, 0)
    wrapped, sides = surround(circular, "blend", wrap=True)
    assert torch.equal(wrapped[..., :9, 9:-9], circular.y[..., -9:, :])


@pytest.mark.parametrize(("name", "library"), [("pylops_tv", "pylops"), ("pyproximal_tv", "pyproximal")])
def test_a_missing_library_is_named(name: str, library: str, monkeypatch: pytest.MonkeyPatch):
    plugin = find_plugin("solver", name)
    monkeypatch.delitem(sys.modules, plugin.module or "", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(PluginError, match=rf"{name}.*{library}"):
        load_plugin(plugin)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("skimage_wiener", {"balance": 0.0}),
        ("skimage_unsupervised_wiener", {"burnin": 40}),
        ("skimage_richardson_lucy", {"num_iter": 0}),
        ("pylops_fista_haar", {"eps": -1.0}),
        ("pylops_tv", {"eps": 0.0}),
        ("pylops_tv_haar", {"haar": 0.0}),
        ("pyproximal_tv", {"lam": 0.0}),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, settings: dict[str, float]):
    with pytest.raises(SettingError, match=f"{name}: .*{next(iter(settings))}"):
        solver(name, **settings)


def test_a_chequerboard_costs_the_centred_difference_nothing():
    from pylops import FirstDerivative

    board = np.indices((8, 9)).sum(0) % 2.0
    for axis in (0, 1):
        centred, forward = (
            np.asarray(FirstDerivative(board.shape, axis=axis, edge=False, kind=kind) @ board.ravel())
            for kind in ("centered", "forward")
        )
        assert not centred.any()
        assert np.abs(forward).sum() == board.size - board.size / board.shape[axis]


def test_pylops_tv_reaches_the_least_anisotropic_total_variation_with_forward_differences_alone():
    """Against Condat & Vu's iteration on |A x - y|²/2 + λ |D x|_1; PyLops's λ is epsRL1s² / mu, not epsRL1s / mu."""
    p, truth = problem([camera(32)], shake(5), sigma=4 / 255)
    lam = (4 * float(noise_variance(p).sqrt())) ** 2 / 1.5

    def objective(x: torch.Tensor) -> float:
        return float((p.blur.A(x) - p.y).square().sum() / 2 + lam * differences(x, "neumann").abs().sum())

    x, dual, tau, step = p.y, torch.zeros_like(differences(p.y)), 0.69, 0.1  # 1/tau - 8 step >= 1/2
    for _ in range(2000):
        before = x
        x = x - tau * (p.blur.A_adjoint(p.blur.A(x) - p.y) + difference_adjoint(dual, "neumann"))
        dual = (dual + step * differences(2 * x - before, "neumann")).clamp(-lam, lam)
    forward, centred = (solver("pylops_tv", kind=k, niter_outer=60).solve(p) for k in ("forward", "centered"))
    assert objective(x) < objective(forward) < 1.001 * objective(x)
    assert objective(centred) > 1.1 * objective(x)
    assert psnr(centred, truth) < psnr(forward, truth) - 2
