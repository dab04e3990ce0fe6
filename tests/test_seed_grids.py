"""The grids after two student projects: what they promise, and that they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import grid as grids
from bench.run import Finished, Options, Runner
from tests.conftest import Silent

NAMES = ("seed000_dps_reddiff", "seed003_vpsde")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load(grids.find(name).read_text(encoding="utf-8"))


def entries(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(solver, its settings) in order."""
    return [(e, {}) if isinstance(e, str) else next(iter(e.items())) for e in content["solvers"]]


@pytest.mark.parametrize(("name", "settings"), [("seed000_dps_reddiff", 2), ("seed003_vpsde", 1)])
def test_every_solver_of_a_seed_grid_meets_every_setting(name: str, settings: int, tmp_path: Path) -> None:
    parsed = grids.read(grids.find(name))
    assert parsed.name == name
    runner = Runner(parsed, Options(tmp_path, limit=1), Silent())
    assert len(runner.second_stage({})) == settings * len(parsed.solvers)


def test_the_ct_grid_has_both_methods_every_weighting_and_what_they_should_beat() -> None:
    solvers = entries(read("seed000_dps_reddiff"))
    assert {s["epsilon"] for name, s in solvers if name == "adjoint_ddim"} == {"kept", "recomputed"}
    weightings = {s["weighting"] for name, s in solvers if name == "reddiff"}
    assert weightings == {"linear", "sqrt", "square", "log", "clip", "const"}
    assert {"dps", "wiener", "tv", "sprox", "diffpir"} <= {name for name, _ in solvers}


def test_the_noise_of_the_denoising_grid_is_three_tenths_in_the_units_of_the_slides() -> None:
    content = read("seed003_vpsde")
    (noise,) = (next(iter(n.values())) for n in content["noise"])
    assert 2 * noise["sigma"] / 255 == pytest.approx(0.3)
    assert noise["lam"] == float("inf")
    assert {s["form"] for name, s in entries(content) if name == "vpsde_denoise"} == {"code", "text"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_seed_grid_runs_to_the_end(name: str, tmp_path: Path, run_grid: Callable[..., Finished]) -> None:
    content = read(name)
    for solver, settings in entries(content):
        if solver != "tstar_denoise" and "weights" in settings:
            settings["steps"] = 2
    content["run"]["workers"] = 1
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    finished = run_grid(path, limit=1)
    assert {r["status"] for r in finished.test} == {"ok"}
    assert {r["solver"] for r in finished.test} >= {s.get("id", solver) for solver, s in entries(content)}
