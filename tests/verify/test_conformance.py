"""Every built-in plug-in keeps its contract, and the checks themselves catch those that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.files import built_in_folder
from bench.plugins import describe
from bench.plugins.lookup import built_in
from bench.testing import check_dataset, check_metric, check_noise, check_operator, check_solver

#: Settings that keep a solver short here; what it does is the same.
SHORT: dict[str, dict[str, Any]] = {
    **{p.name: {"steps": 4} for p in built_in("solver") if p.flags.get("needs_prior")},
    "tstar_denoise": {"sample": 3},
    "haar_fista": {"steps": 5},
    "l1_autograd": {"steps": 5},
    "richardson_lucy": {"steps": 5},
    "tv": {"steps": 5},
    "tv_fista": {"steps": 3},
    "tv_haar": {"steps": 5},
    "tv_kl": {"steps": 5},
}
NEEDS: dict[str, dict[str, Any]] = {
    "boracchi_foi": {"length": 16, "anxiety": 0.005},
    "linear": {"length": 7, "angle": 30},
    "disk": {"radius": 2},
    "gaussian": {"sigma": 1},
    "poisson_gaussian": {"lam": 48000, "sigma": 4},
}


def runs(plugin: describe.Plugin) -> bool:
    """Whether the solver needs no file of the user's own, and its default weights ship, if it has any."""
    if any(p.required for p in plugin.parameters.values()):
        return False
    setting, place = plugin.parameters.get("weights"), built_in_folder("weights")
    return setting is None or (place is not None and (place / f"{setting.default}.safetensors").is_file())


@pytest.mark.parametrize("name", [p.name for p in built_in("solver") if runs(p)])
def test_every_solver_conforms(name: str) -> None:
    check_solver(name, SHORT.get(name))


@pytest.mark.parametrize("name", [p.name for p in built_in("operator") if p.name not in ("file", "recorded")])
def test_every_operator_conforms(name: str) -> None:
    check_operator(name, NEEDS.get(name))


def test_a_psf_from_a_file_conforms(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.arange(12.0).reshape(3, 4))
    check_operator("file", {"path": str(tmp_path / "k.npy")})


@pytest.mark.parametrize("name", [p.name for p in built_in("noise")])
def test_every_noise_model_conforms(name: str) -> None:
    check_noise(name, NEEDS.get(name))


@pytest.mark.parametrize("name", ["photos", "phantoms"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_every_dataset_that_ships_its_pictures_conforms(name: str, split: str) -> None:
    check_dataset(name, {"split": split, "size": 64})


@pytest.mark.parametrize("name", [p.name for p in built_in("metric") if p.flags.get("family") != "perception"])
def test_every_metric_conforms(name: str) -> None:
    check_metric(name, size=192 if name == "ms_ssim" else 48)


BAD = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from bench import Problem, Solver

@dataclass(frozen=True)
class Bad(Solver):
    "A solver with one fault."
    fault: str = ""

    def solve(self, problem: Problem) -> torch.Tensor:
        y = problem.y
        match self.fault:
            case "batch":
                return y / y.mean()
            case "inplace":
                return y.mul_(1.0).add_(1e-3)
            case "random":
                return y + problem.randn(*y.shape[1:])
            case "dtype":
                return y.float()
            case "state":
                self.__dict__["calls"] = self.__dict__.get("calls", 0) + 1
                return y + self.__dict__["calls"]
        return y
"""


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("batch", "alone and within a batch"),
        ("inplace", "changed problem.y"),
        ("random", "does not declare stochastic"),
        ("dtype", "the estimate torch.float32"),
        ("state", "alone and within a batch"),
    ],
)
def test_the_checks_catch_a_solver_with_a_fault(tmp_path: Path, fault: str, words: str) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    check_solver("./bad.py", base=tmp_path)
    with pytest.raises(AssertionError, match=words):
        check_solver("./bad.py", {"fault": fault}, base=tmp_path)
