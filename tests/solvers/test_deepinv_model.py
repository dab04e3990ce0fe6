"""deepinv behind our contract: its presets, any model by import path, and no image that touches another."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from deepinv.models import Denoiser, DnCNN, Reconstructor
from deepinv.optim import DPIR
from torch import Tensor, nn

from bench import PluginError, SettingError, Solver, SolverError
from bench.imaging.blur import Boundary
from bench.methods.classical.optim import noise_variance, tv_weight
from bench.methods.libraries.deepinv_presets import PRESETS, circular_physics, scene_physics
from bench.methods.libraries.planes import alone
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from tests.problems import camera, problem, psnr, shake

BOUNDARIES: tuple[Boundary, ...] = ("circular", "valid")
FEW = {"wiener": {}, "pdcp_tv": {"max_iter": 4}, "admm_tv": {"max_iter": 3}, "fista_haar": {"max_iter": 4}}


def solver(name: str = "deepinv_model", **settings: object) -> Solver:
    plugin = find_plugin("solver", name)
    return build(plugin, load_plugin(plugin), settings)


def scenes(n: int, channels: int = 3, size: int = 35) -> list[np.ndarray]:
    picture = np.concatenate([camera(64), camera(64)[:, ::-1], camera(64).transpose(0, 2, 1)])
    return [np.roll(picture, 7 * i, -1)[:channels, :size, :size] for i in range(n)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_an_image_depends_neither_on_its_batch_nor_on_what_was_solved_before(preset: str, boundary: Boundary):
    """TVPrior starts an image from the variables of the last one, and stops on the norm of the whole batch."""
    p, _ = problem(scenes(3), boundary=boundary, dtype=torch.float32)
    method = solver(model=preset, options=FEW[preset])
    together = method.solve(p)
    assert torch.equal(together[2:], method.solve(alone(p, 2)))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_estimate_is_aligned_with_the_measurement_and_better(preset: str, boundary: Boundary):
    p, truth = problem(scenes(1, channels=1, size=48), boundary=boundary, dtype=torch.float32)
    x = solver(model=preset).solve(p)
    assert x.shape == p.y.shape
    assert x.dtype == p.y.dtype
    assert psnr(x, truth, 6) > psnr(p.y, truth, 6) + 2


def test_the_wiener_preset_is_scikit_image_s():
    p, _ = problem(scenes(1))
    expected = solver("skimage_wiener", balance=200.0).solve(p)
    torch.testing.assert_close(solver(model="wiener").solve(p), expected, rtol=0, atol=1e-5)


def test_the_haar_preset_finds_what_haar_fista_finds():
    """deepinv's WaveletPrior multiplies its weight by 0.1, which the preset undoes."""
    p, _ = problem([camera()[:, :32, :32]])
    theirs = solver(model="fista_haar", options={"max_iter": 600}).solve(p)
    ours = solver("haar_fista", lam=2.2, steps=600, cycle_spinning=False).solve(p)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=5e-3)


def test_the_tv_presets_find_what_pyproximal_finds():
    p, _ = problem([camera()[:, :32, :32]])
    expected = solver("pyproximal_tv", niter=600, niter_lsqr=20).solve(p)
    for preset, steps in (("pdcp_tv", 600), ("admm_tv", 100)):
        x = solver(model=preset, options={"max_iter": steps}).solve(p)
        assert (x - expected).square().mean().sqrt() < 2e-3


def test_the_weight_multiplies_the_regularisation():
    p, _ = problem(scenes(1, channels=1))
    assert PRESETS["pdcp_tv"].lam(p) == pytest.approx(float(tv_weight(p, 1.2)))
    lam = 2 * PRESETS["wiener"].lam(p)
    assert lam == pytest.approx(400 * float(noise_variance(p)))
    given = solver(model="wiener", options={"lambda_reg": lam}).solve(p)
    assert torch.equal(solver(model="wiener", weight=2.0).solve(p), given)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_model_by_import_path_gets_the_physics_it_asks_for(boundary: Boundary):
    p, _ = problem(scenes(2, channels=1), boundary=boundary)
    lam = PRESETS["wiener"].lam(p) if len(p.y) == 1 else 0.002
    by_path = solver(model="deepinv.models.WienerDeconvolution", options={"lambda_reg": lam}, circular=True)
    preset = solver(model="wiener", options={"lambda_reg": lam})
    assert torch.equal(by_path.solve(p), preset.solve(p))


class Adjoint(nn.Module):
    """A model that a user may bring: weights that it would download, an estimate of the scene."""

    def __init__(self, pretrained: str | None = "download", scale: float = 1.0):
        super().__init__()
        if pretrained is not None:
            raise RuntimeError(f"would fetch {pretrained}")
        self.scale = scale

    def forward(self, y: Tensor, physics: nn.Module) -> Tensor:
        return self.scale * physics.A_adjoint(y)  # type: ignore[operator]  # nn.Module hides what physics is


class Both(Reconstructor, Denoiser):
    def forward(self, y: Tensor, physics: Any, **_: object) -> Tensor:  # type: ignore[override]  # deepinv's two differ
        return physics.A_adjoint(y)


class Counting(nn.Module):
    """Remembers its calls, as TVPrior does its last image."""

    built = 0

    def __init__(self) -> None:
        super().__init__()
        Counting.built += 1
        self.calls = 0

    def forward(self, y: Tensor, physics: nn.Module) -> Tensor:
        self.calls += 1
        return self.calls * y


class Wrong(nn.Module):
    def forward(self, y: Tensor, physics: nn.Module) -> Tensor:
        return y[..., 1:]


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("a_module_of_mine")
    module.__dict__.update(Adjoint=Adjoint, Wrong=Wrong)
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_model_of_one_s_own_sees_the_exact_operator_and_never_downloads(boundary: Boundary):
    p, _ = problem(scenes(2), boundary=boundary)
    x = solver(model="a_module_of_mine.Adjoint", options={"scale": 0.5}).solve(p)
    torch.testing.assert_close(x, 0.5 * p.blur.crop(p.blur.A_adjoint(p.y)), rtol=0, atol=1e-12)


@pytest.mark.usefixtures("mine")
def test_a_download_is_refused_even_when_asked_for():
    p, _ = problem(scenes(1))
    with pytest.raises(SettingError, match="pretrained: download is a download, which is not done"):
        solver(model="a_module_of_mine.Adjoint", options={"pretrained": "download"}).solve(p)


def test_a_model_that_would_download_inside_is_refused_before_it_does():
    """DPIR makes a DRUNet with downloaded weights unless it is given a denoiser."""
    p, _ = problem(scenes(1))
    with pytest.raises(SettingError, match=r"deepinv\.optim\.DPIR would download weights \(https.*give them by path"):
        solver(model="deepinv.optim.DPIR").solve(p)


SMALL: dict[str, Any] = {"pretrained": None, "in_channels": 1, "out_channels": 1, "depth": 3, "nf": 4}


def test_a_model_takes_a_denoiser_with_weights_by_path(tmp_path: Path):
    torch.manual_seed(0)
    denoiser = DnCNN(**SMALL)
    torch.save(denoiser.state_dict(), tmp_path / "dncnn.pth")
    p, _ = problem(scenes(2, channels=1), dtype=torch.float32)
    method = solver(
        model="deepinv.optim.DPIR",
        options={"sigma": 0.05},
        denoiser="deepinv.models.DnCNN",
        denoiser_options={k: v for k, v in SMALL.items() if k != "pretrained"},
        denoiser_path=str(tmp_path / "dncnn.pth"),
    )
    one = alone(p, 1)
    with torch.no_grad():
        expected = DPIR(sigma=0.05, denoiser=denoiser.eval())(one.y, scene_physics(one))
    torch.testing.assert_close(method.solve(p)[1:], expected, rtol=0, atol=1e-6)


def test_a_reconstructor_that_is_also_a_denoiser_is_a_reconstructor():
    """As deepinv's RAM is."""
    p, _ = problem(scenes(1))
    x = solver(model="tests.solvers.test_deepinv_model.Both").solve(p)
    assert torch.equal(x, p.blur.crop(p.blur.A_adjoint(p.y)))


def test_a_model_is_built_once_and_starts_every_image_afresh():
    p, _ = problem(scenes(3))
    Counting.built = 0
    x = solver(model="tests.solvers.test_deepinv_model.Counting").solve(p)
    assert Counting.built == 1
    assert torch.equal(x, p.y)  # it multiplies by the number of calls that it remembers


@pytest.mark.usefixtures("mine")
def test_an_estimate_of_another_size_is_refused():
    p, _ = problem(scenes(1))
    with pytest.raises(SolverError, match="Wrong returned"):
        solver(model="a_module_of_mine.Wrong").solve(p)


def test_an_unknown_preset_is_answered_with_those_that_exist():
    with pytest.raises(SettingError, match="Did you mean 'pdcp_tv'"):
        solver(model="pdcp_tw")


@pytest.mark.parametrize("path", ["deepinv.models.NoSuchModel", "no_such_package.Model"])
def test_a_model_that_cannot_be_imported_is_named(path: str):
    p, _ = problem(scenes(1))
    with pytest.raises(PluginError, match=path):
        solver(model=path).solve(p)


@pytest.mark.parametrize("path", ["deepinv.models.TVDenoiser", "math.pi"])
def test_what_is_no_reconstruction_model_is_refused(path: str):
    p, _ = problem(scenes(1))
    with pytest.raises(PluginError, match="not a class of models"):
        solver(model=path).solve(p)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_physics_passes_the_adjoint_test(boundary: Boundary):
    p, _ = problem(scenes(2), boundary=boundary)
    physics = scene_physics(p)
    x = torch.rand(2, 3, *p.blur.scene_shape, dtype=torch.float64)
    assert abs((physics.A(x) * p.y).sum() - (x * physics.A_adjoint(p.y)).sum()) < 1e-10


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_prox_of_the_data_term_is_stationary(boundary: Boundary):
    p, _ = problem(scenes(2, channels=1), boundary=boundary)
    physics, blur = scene_physics(p), p.blur
    z = torch.rand(2, 1, *blur.scene_shape, dtype=torch.float64)
    gamma = torch.tensor([3.0, 30.0], dtype=torch.float64)
    x = physics.prox_l2(z, p.y, gamma, max_iter=500, tol=1e-10)
    slope = gamma.view(-1, 1, 1, 1) * blur.A_adjoint(blur.A(x) - p.y) + x - z
    assert slope.abs().max() < 1e-4  # deepinv's CG comes no closer


def test_deepinv_s_own_circular_blur_agrees_with_ours():
    p, _ = problem(scenes(1), psf=shake(9))
    x = torch.rand(1, 3, 35, 35, dtype=torch.float64)
    torch.testing.assert_close(circular_physics(p, p.y).A(x), p.blur.A(x), rtol=0, atol=1e-6)
