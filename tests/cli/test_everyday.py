"""Everyday commands: new, list, degrade, doctor, run --json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import GridError, PluginError, ResultError, SolverError
from bench.grid.conditions import Expression
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.imaging.picture_files import read, write_16_bit
from bench.running import degrade
from bench.testing import check_dataset, check_metric, check_operator, check_prior


def bench(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    if isinstance(done.exception, Exception):
        raise done.exception
    return done.exit_code, done.stdout


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_bench_new_writes_keeps_its_contract(tmp_path: Path) -> None:
    for kind in ("prior", "operator", "dataset", "metric", "grid", "skill"):
        assert bench("new", kind, f"my_{kind}")[0] == 0
    check_operator("./my_operator.py", base=tmp_path)
    check_dataset("./my_dataset.py", base=tmp_path)
    check_prior("./my_prior.py", base=tmp_path)
    check_metric("./my_metric.py", base=tmp_path)
    grid = read_grid(tmp_path / "my_grid.yaml")
    assert (grid.name, len(grid.solvers)) == ("my_grid", 3)
    assert (tmp_path / "my_skill" / "SKILL.md").read_text(encoding="utf-8").startswith("---\nname: deblur-bench\n")
    with pytest.raises(PluginError, match="Did you mean 'operator'"):
        bench("new", "operater", "x")


def test_list_describes_the_plugin_in_a_file() -> None:
    bench("new", "operator", "ring")
    _, text = bench("list", "./ring.py")
    assert text.startswith("./ring.py: A ring: an annular aperture out of focus")
    assert "inner: float = 0.5  inner radius over the outer one" in text
    with pytest.raises(PluginError, match="there is no file"):
        bench("list", "./nothing.py")


def test_the_skill_names_commands_and_kinds_that_exist() -> None:
    from bench.cli.new import TEMPLATES, skill

    text = skill("")
    names = {c.name for c in app.registered_commands} | {"baseline"}
    used = {words.split()[1] for line in text.split("`") for words in line.splitlines() if words.startswith("bench ")}
    assert used - {"COMMAND"} <= names
    assert {line.split()[2] for line in text.split("`") if line.startswith("bench new ")} <= set(TEMPLATES)


def test_colour_in_16_bits_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 2**16, (3, 5, 7)) / 65535
    write_16_bit(tmp_path / "x.png", picture)
    assert np.array_equal(read(tmp_path / "x.png"), picture)


def test_degrade_writes_colour_with_default_settings() -> None:
    Path("g.yaml").write_text(
        "data: {test: {photos: {mode: rgb, size: 32, margin: 8, limit: 1}}}\nblur: [{disk: {radius: 2}}]\n"
        "noise: [{poisson_gaussian: {lam: 48000, sigma: 2}}]\nsolvers: [blurred]\n"
    )
    code, _ = bench("degrade", "g.yaml", "--out", "d")
    assert code == 0
    assert read(Path("d/blurred/000000.png")).shape == (3, 32, 32)


def test_a_degradation_that_was_interrupted_leaves_nothing_in_the_way(
    write_grid: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_grid("@copy.py")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(degrade, "expose", interrupted)
        with pytest.raises(KeyboardInterrupt):
            degrade.write_dataset(read_grid(path), tmp_path / "d", "test", "npy", None)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith((".d", "d"))]
    assert bench("degrade", path, "--out", tmp_path / "d")[0] == 0
    with pytest.raises(ResultError, match="is not empty"):
        bench("degrade", path, "--out", tmp_path / "d")


def test_the_json_of_a_run_has_its_scores_and_conclusion(write_grid: Callable[..., Path]) -> None:
    _, text = bench("run", write_grid("@copy.py", "blurred"), "--json")
    summary = json.loads(text)
    assert [row["solver"] for row in summary["leaderboard"]] == ["copy", "blurred"]
    assert all(row["psnr"] > 0 for row in summary["leaderboard"])
    assert summary["conclusion"]


def test_the_doctor_looks_at_what_a_run_needs() -> None:
    _, text = bench("doctor", "--json")
    facts = {f["name"]: f for f in json.loads(text)}
    assert {"device", "threads", "LPIPS", "data", "disk"} <= set(facts)
    assert "19 test photographs" in facts["data"]["text"]
    assert all(f["state"] in ("ok", "note", "missing") and f["text"] for f in facts.values())


def test_the_doctor_says_that_weights_that_were_named_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_LPIPS_WEIGHTS", "/nowhere.pth")
    code, text = bench("doctor")
    assert code == 1
    assert "BENCH_LPIPS_WEIGHTS names /nowhere.pth, and there is no such file" in text


def test_the_copy_of_a_grid_in_its_run_folder_runs_from_there_and_computes_nothing_again(tmp_path: Path) -> None:
    pictures = tmp_path / "project" / "pictures"
    pictures.mkdir(parents=True)
    write_16_bit(pictures / "a.png", np.random.default_rng(0).random((1, 24, 24)))
    grid = tmp_path / "project" / "mine.yaml"
    grid.write_text(
        "seed: 1\ndata: {test: {folder: {path: pictures, margin: 0}}}\nblur: [identity]\n"
        "noise: [poisson_gaussian: {lam: .inf}]\nsolvers: [blurred]\nrun: {workers: 1}\n"
    )
    assert bench("run", grid)[0] == 0
    code, text = bench("run", "runs/mine/grid.yaml", "--out", "runs/mine")
    assert code == 0
    assert "0 computed now" in text
    facts = json.loads((tmp_path / "runs/mine/run.json").read_text())
    assert facts["grid_base"] == str(pictures.parent)


def test_only_and_exclude_choose_images(tmp_path: Path) -> None:
    bench("new", "grid", "mine")
    parsed = read_grid(tmp_path / "mine.yaml")

    def images(text: str) -> set[str]:
        planner = Planner(parsed, ImageIndex(), Expression(text))
        pairs = ((s, e) for s in planner.settings for e in parsed.solvers if planner.wanted(s, e))
        return {c.shot.image for s, e in pairs for c in planner.cells("test", e, [s])}

    every = images("True")
    one = sorted(every)[0]
    assert len(every) > 1
    assert images(f"image == '{one}'") == {one}
    assert images(f"image != '{one}' and solver != 'nothing'") == every - {one}
    assert images("image == 'nobody'") == set()


def test_an_exception_of_a_plugin_under_verify_is_one_sentence_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    with pytest.raises(SolverError, match=r"bad\.py:10: solve\(\) raised KeyError: 'nothing'"):
        bench("verify", "./bad.py", "--quick")


BAD = '''"""A solver that raises."""

from dataclasses import dataclass
from bench import Problem, Solver

@dataclass(frozen=True)
class Bad(Solver):
    """It raises."""
    def solve(self, problem: Problem):
        return {}["nothing"]
'''


def test_mistakes_that_only_the_whole_grid_shows_are_listed_at_once_with_their_lines(tmp_path: Path) -> None:
    np.save(tmp_path / "kernel.npy", -np.ones((3, 3)))
    (tmp_path / "grid.yaml").write_text(
        "seed: 1\ndata: {test: {photos: {limit: 1}}}\n"
        "blur:\n  - disk: {radius: 2}\n  - file: {path: kernel.npy}\n"
        "noise: [poisson_gaussian: {lam: .inf}]\n"
        "solvers:\n  - conditional_dm: {weights: photos}\n  - tstar_denoise\n"
        "exclude: [\"blr == 'x'\"]\n"
    )
    with pytest.raises(GridError) as error:
        read_grid(tmp_path / "grid.yaml")
    lines = str(error.value).splitlines()
    assert [line.partition("grid.yaml:")[2].split(":")[0] for line in lines] == ["5", "8", "9", "10"]
    assert "negative" in lines[0]
    assert "takes weights of a conditional; photos are those of a prior" in lines[1]
    assert "removes noise alone" in lines[2]
    assert "Did you mean 'blur'" in lines[3]


def test_the_command_that_a_run_names_for_a_failed_cell_shows_it(write_grid: Callable[..., Path]) -> None:
    _, text = bench("run", write_grid("@broken.py: {how: raise}"), "--out", "elsewhere")
    assert "look at one:  bench show " in text
    words = text.partition("look at one:  bench show ")[2].split("   ")[0].split()
    assert words[1:] == ["--runs", "elsewhere"]
    code, shown = bench("show", *words)
    assert code == 0
    assert all("ValueError: the step size is negative" in t for t in (text, shown))
