"""The grids after student projects: what they promise, and that they run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from bench.errors import DataError, WeightsError
from bench.grid.read import find_grid, parse_grid, read_grid
from bench.grid.yaml import read_yaml
from bench.running.runner import Finished, Options, Runner
from tests.conftest import Silent
from tests.restoration import UNET, write_conditional

#: grid -> settings, for those on data that ship
SETTINGS = {
    "seed000_dps_reddiff": 2,
    "seed001_fig4": 12,
    "seed001_fig4_networks": 12,
    "seed001_table3": 6,
    "seed001_table4": 4,
    "seed002_swinir": 2,
    "seed002_targets": 1,
    "seed002_variational": 1,
    "seed003_vpsde": 1,
    "seed004_convir_score": 1,
}
#: grids on pictures that do not ship
RECORDED = ("seed001_gopro", "seed001_gopro_patches", "seed001_table1")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load(find_grid(name).read_text(encoding="utf-8"))


def entries(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(solver, its settings) in order."""
    return [(e, {}) if isinstance(e, str) else next(iter(e.items())) for e in content["solvers"]]


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_solver_of_a_seed_grid_meets_every_setting(name: str, tmp_path: Path) -> None:
    parsed = read_grid(find_grid(name))
    assert parsed.name == name
    runner = Runner(parsed, Options(tmp_path, limit=1), Silent())
    pictures = len(parsed.test) * max(b.psfs for b in parsed.blurs)
    assert len(runner.second_stage({})) == SETTINGS[name] * len(parsed.solvers) * pictures


@pytest.mark.parametrize("name", [*sorted(SETTINGS), *RECORDED])
def test_the_lines_that_a_seed_grid_offers_for_trained_weights_are_valid(name: str, tmp_path: Path) -> None:
    text, offered = re.subn(r"(?m)^  # - (?=\w+: \{)", "  - ", find_grid(name).read_text(encoding="utf-8"))
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    more = len(parse_grid(read_yaml(path), tmp_path).solvers) - len(read_grid(find_grid(name)).solvers)
    assert more == offered


def test_the_ct_grid_has_both_methods_every_weighting_and_what_they_should_beat() -> None:
    solvers = entries(read("seed000_dps_reddiff"))
    assert {s["epsilon"] for name, s in solvers if name == "adjoint_ddim"} == {"kept", "recomputed"}
    weightings = [s["weighting"] for name, s in solvers if name == "reddiff" and "weighting" in s]
    assert sorted(weightings) == ["clip", "const", "linear", "log", "sqrt", "square"]
    (drawn,) = (s for name, s in solvers if name == "reddiff" and "weighting" not in s)
    assert (drawn["init"], drawn["through_network"]) == ("adjoint", True)
    assert {"dps", "wiener", "tv", "sprox", "diffpir"} <= {name for name, _ in solvers}


def test_the_noise_of_the_denoising_grid_is_three_tenths_in_the_units_of_the_slides() -> None:
    content = read("seed003_vpsde")
    (noise,) = (next(iter(n.values())) for n in content["noise"])
    assert 2 * noise["sigma"] / 255 == pytest.approx(0.3)
    assert noise["lam"] == float("inf")
    assert {s["form"] for name, s in entries(content) if name == "vpsde_denoise"} == {"code", "text"}


@pytest.mark.parametrize("name", ["seed001_table3", "seed001_table4"])
def test_paths_are_half_as_long_as_kernels_are_wide(name: str) -> None:
    (blur,) = (next(iter(b.values())) for b in read(name)["blur"])
    ids, lengths = (v if isinstance(v, list) else [v] for v in (blur["id"], blur["length"]))
    assert [int(i.split()[0]) for i in ids] == [2 * n["uniform"][1] for n in lengths]


def test_the_exposures_of_figure_4_share_their_paths_and_one_path_is_a_line(tmp_path: Path) -> None:
    line, shake = (next(iter(b.values())) for b in read("seed001_fig4")["blur"])
    assert len(line["T"]) == 6
    assert line["T"] == shake["T"]
    assert (line["anxiety"], shake["anxiety"]) == (0, 0.005)
    classics = {"wiener", "tikhonov", "richardson_lucy", "tv", "tv_fista", "tv_kl", "haar_fista", "tv_haar"}
    assert classics | {"wiener_admm_tv", "l1_autograd"} <= {name for name, _ in entries(read("seed001_fig4"))}


def test_the_variational_grid_has_the_studys_paddings_and_regularisers() -> None:
    solvers = entries(read("seed002_variational"))
    assert all(
        {"zero", "mean", "edge"} <= set(s["padding"])
        for n, s in solvers
        if n in ("tikhonov", "wiener_admm_tv") and "boundary" not in s
    )
    assert {s.get("kind", "forward") for n, s in solvers if n == "pylops_tv"} == {"forward", "centered"}
    assert {s.get("cycle_spinning", True) for n, s in solvers if n == "haar_fista"} == {False, True}
    ours, theirs = {"haar_fista", "tv", "tv_haar"}, {"pylops_fista_haar", "pylops_tv", "pylops_tv_haar"}
    assert ours | theirs | {"l1_autograd"} <= {n for n, _ in solvers}


def frames(root: Path) -> Path:
    """A GoPro set of two frames, 160 x 144, of smooth noise."""
    rng = np.random.default_rng(0)
    for number in range(2):
        for kind in ("sharp", "blur"):
            path = root / f"GOPRO_Large/test/GOPR0001/{kind}/{number:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            small = Image.fromarray(rng.integers(0, 255, (18, 20, 3), dtype=np.uint8))
            small.resize((160, 144), Image.Resampling.BICUBIC).save(path)
    return root


@pytest.mark.parametrize("name", RECORDED)
def test_a_grid_on_pictures_of_the_users_own_says_what_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match="ships no copy"):
        Runner(read_grid(find_grid(name)), Options(tmp_path / "out", limit=1), Silent()).second_stage({})


def test_a_grid_on_weights_of_the_users_own_names_the_file_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(frames(tmp_path)))
    monkeypatch.chdir(tmp_path)
    runner = Runner(read_grid(find_grid("seed001_table1")), Options(tmp_path / "out", limit=1), Silent())
    with pytest.raises(WeightsError, match="no file 'seed001_table1_base"):
        runner.second_stage({})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seed000_dps_reddiff", "seed003_vpsde"])
def test_a_seed_grid_of_samplers_runs_to_the_end(
    name: str, tmp_path: Path, run_grid: Callable[..., Finished]
) -> None:
    content = read(name)
    for solver, settings in entries(content):
        if solver != "tstar_denoise" and "prior" in settings:
            settings["steps"] = 2
    content["run"]["workers"] = 1
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    finished = run_grid(path, limit=1)
    assert {r["status"] for r in finished.test} == {"ok"}
    assert {r["solver"] for r in finished.test} >= {s.get("id", solver) for solver, s in entries(content)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in sorted(SETTINGS) if n not in ("seed000_dps_reddiff", "seed003_vpsde")])
def test_a_seed_grid_runs_on_one_image_as_it_ships(name: str, run_grid: Callable[..., Finished]) -> None:
    finished = run_grid(find_grid(name), limit=1)
    assert {r["status"] for r in finished.test} == {"ok"}
    assert {r["solver"] for r in finished.test} == {s.label for s in read_grid(find_grid(name)).solvers}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_a_seed_grid_on_recorded_pairs_runs_with_pictures_and_weights_in_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_grid: Callable[..., Finished]
) -> None:
    """On frames and with networks of no worth: gray ones of 16 x 16 pixels, patch by patch."""
    monkeypatch.setenv("HOME", str(frames(tmp_path)))
    monkeypatch.chdir(tmp_path)
    content = read(name)
    if name == "seed001_gopro":
        content["solvers"].append({"conditional_dm": {"weights": "seed001_table1_base.safetensors", "steps": 2}})
    for solver, settings in entries(content):
        if solver == "conditional_dm":
            settings["steps"] = 2
            write_conditional(tmp_path / settings["weights"], UNET)
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    finished = run_grid(path)
    assert {r["status"] for r in finished.test} == {"ok"}
    assert len(finished.test) == 2 * len(content["solvers"])
