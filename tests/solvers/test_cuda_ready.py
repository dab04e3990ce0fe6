"""Solvers on a GPU, without one: where CPU and GPU would mix, and how often the CPU would wait for the GPU."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.contracts import Cost, NoiseLevel
from bench.imaging.blur import Blur, Boundary
from bench.methods.diffusion.denoiser import Denoiser, ModelBase
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks import restore, restorer_files
from bench.methods.problem import Problem
from bench.plugins.lookup import find_plugin, load_plugin, plugin_names
from bench.seeds import generator
from tests.make_solver import made
from tests.pretended import Backward, Pretended
from tests.solvers.test_restorer_file import nafnet

#: what makes a solver short, and complete
SETTINGS: dict[str, dict[str, Any]] = {
    "daps": {"steps": 2, "flow": 2},
    "deepinv_model": {"options": {"max_iter": 2}},
    "pylops_fista_haar": {"niter": 2},
    "pylops_tv": {"niter_outer": 1, "niter_inner": 1, "iter_lim": 1},
    "pyproximal_tv": {"niter": 2, "niter_lsqr": 1},
    "skimage_richardson_lucy": {"num_iter": 2},
    "skimage_unsupervised_wiener": {"burnin": 1, "min_num_iter": 3, "max_num_iter": 3},
    "tstar_denoise": {"sample": 2},
}
#: not here: restorer_file is below; deepinv's own samplers make a torch.Generator on the GPU, which asks its driver
LEFT_OUT = {"restorer_file", "deepinv_dps", "deepinv_diffpir"}
SOLVERS = sorted(set(plugin_names("solver")) - LEFT_OUT)
#: of libraries, which compute on the CPU anyway, or with networks that others here have too
LIBRARIES = {n for n in SOLVERS if find_plugin("solver", n).flags.get("family") == "library"}
SLOW = LIBRARIES | {"conditional_dm", "swinir", "gaussian_posterior"}


class Shrinking(ModelBase):
    """E[x_0 | x_t] of white images of unit variance: a x_t."""

    def __init__(self) -> None:
        self.schedule = Schedule.make("linear")

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        a, _ = self.schedule.scales(t)
        return a.to(x.dtype).view(-1, 1, 1, 1) * x


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Networks that were loaded to the pretended GPU are of no use to others."""
    yield
    for load in (
        restore.load_restorer,
        restore.load_conditional,
        restore.load_unrolled,
        restorer_files.load_restorer_file,
    ):
        load.cache_clear()


def problem(boundary: Boundary, side: int = 5, n: int = 2) -> Problem:
    cost, rng = Cost(), np.random.default_rng(0)
    y = torch.tensor(rng.random((n, 1, 16, 16)), dtype=torch.float32, device="cuda")
    psf = torch.tensor(rng.random((n, 1, side, side)), dtype=torch.float32, device="cuda")
    psf = psf / psf.sum((2, 3), keepdim=True)
    level = NoiseLevel(torch.full((n,), 1e-3, device="cuda"), torch.full((n,), 0.02, device="cuda"))
    generators = tuple(generator("ready", i) for i in range(n))
    return Problem(y, Blur(psf, (16, 16), boundary, cost), level, generators, cost, Denoiser(Shrinking(), cost))


def solved(name: str, boundary: Boundary, **settings: Any) -> tuple[Tensor, Counter[str]]:
    """The estimate, and how often the CPU would have waited."""
    plugin = find_plugin("solver", name)
    steps = {"steps": 2} if "steps" in {s.name for s in dataclasses.fields(load_plugin(plugin))} else {}
    solver = made(name, **{**steps, **SETTINGS.get(name, {}), **settings})
    with Pretended() as gpu, torch.no_grad():
        given = problem(boundary, side=1 if plugin.flags.get("denoises") else 5)
        gpu.waits.clear()
        x = solver.solve(given)
        gpu.waits["iterations"] = gpu.asked_by("conjugate_gradients")
        return x, gpu.waits


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in SOLVERS])
def test_a_solver_creates_no_tensor_on_the_wrong_device(name: str) -> None:
    # deepinv's check of its own weight reads a value, which is none.
    x, _ = solved(name, "circular" if name == "deepinv_model" else "valid")
    assert x.device.type == "cuda"
    assert x.shape == (2, 1, 16, 16)


def test_a_restorer_of_a_file_is_ready_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = nafnet(channels=1).state_dict()
    (tmp_path / "nafnet.pth").touch()
    monkeypatch.setattr(
        restorer_files, "read_state_dict", lambda _: tensors
    )  # torch.load reads no values in the mode
    x, _ = solved("restorer_file", "valid", path=str(tmp_path / "nafnet.pth"))
    assert x.device.type == "cuda"


#: Uploads in a step, for the whole batch: each draw of noise, which comes from the images' own generators; the
#: spectrum of the denoiser's error, which is read on the CPU (pigdm, sprox); a level of its own for each image, which
#: is a step of the data, a_t and t (pnp_hqs).
UPLOADS = {
    "adjoint_ddim": 0,
    "daps": 3,
    "ddrm": 1,
    "diffpir": 1,
    "dps": 1,
    "pigdm": 2,
    "pnp_hqs": 3,
    "reddiff": 1,
    "sprox": 3,
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "pnp_hqs" else n for n in UPLOADS])
def test_a_step_of_a_sampler_reads_no_number_but_whether_conjugate_gradients_are_done(name: str) -> None:
    """By the difference of two lengths; the uploads are those that cannot be avoided."""
    short, long = (solved(name, "circular", steps=steps)[1] for steps in (2, 4))
    step = {k: (long[k] - short[k]) / 2 for k in ("read", "iterations", "download", "upload")}
    assert step["read"] == step["iterations"]
    assert step["download"] == 0
    assert step["upload"] == UPLOADS[name]


def test_the_pretended_gpu_notices_what_it_is_for() -> None:
    with Pretended() as gpu:
        x = torch.zeros(3, device="cuda")
        with pytest.raises(RuntimeError, match="same device"):
            _ = x + torch.zeros(3)
        _ = float(x[0]), bool(x.any()), x.cpu(), x.to("cpu").numpy(), x.new_tensor([1.0]), torch.ones(3).to(x)
        assert gpu.waits == {"read": 2, "download": 2, "upload": 2}


def test_the_backward_pass_node_by_node_is_torch_s_own() -> None:
    x = torch.randn(2, 1, 9, 9, dtype=torch.float64, requires_grad=True)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 1, 3)).double()

    def loss() -> Tensor:
        first, second = network(x).unbind()
        return (first * second).sum() + torch.fft.rfft2(x * x[:, :, :1]).abs().sum()

    inputs = [x, *network.parameters()]
    expected = torch.autograd.grad(loss(), inputs)
    with patch.object(torch.autograd, "_engine_run_backward", Backward({}).run):
        measured = torch.autograd.grad(loss(), inputs)
        loss().backward()
    torch.testing.assert_close(measured, expected)
    torch.testing.assert_close(tuple(v.grad for v in inputs), expected)
