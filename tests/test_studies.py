"""docs/studies.md names a command for everything that the studies describe: each finds what it names, and runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.cli.deblur import settings_of
from bench.errors import DataError, RecipeError, WeightsError
from bench.files import path_or_shipped, shipped_files
from bench.grid.conditions import Expression
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import find_grid, read_grid
from bench.plugins.lookup import find_plugin
from bench.results import parquet as results
from bench.running.score import given, taken
from bench.running.solve import attempt
from bench.train.recipe.read import read as read_recipe
from tests.small_data import SIDE, lay_out, small_grid, small_recipe

PAGE = Path(__file__).parent.parent / "docs" / "studies.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="there are no docs beside the tests")
ROWS = re.findall(
    r"^\| (00[0-4]) \| (.+?) \| `(bench .+?)` \|$", PAGE.read_text("utf-8") if PAGE.is_file() else "", re.M
)
COMMANDS = list(dict.fromkeys(command for _, _, command in ROWS))
#: grids on pictures that do not ship: what they say without them is tested where they are
OWN_DATA = ("seed001_table1", "seed001_gopro", "seed001_gopro_patches", "seed002_real", "seed004_own")
#: grids that name a study's experiment, or ask for its score
WITH_FORM = {
    n
    for n, f in shipped_files("grids", ".yaml").items()
    if "\nstudy:" in f.read_text("utf-8") or "score_convir]" in f.read_text("utf-8")
}


def test_every_study_grid_and_recipe_has_a_row() -> None:
    assert {study for study, _, _ in ROWS} == {"000", "001", "002", "003", "004"}
    named = {shlex.split(c)[2] for c in COMMANDS}
    seeds = {n for folder in ("grids", "recipes") for n in shipped_files(folder, ".yaml") if n.startswith("seed")}
    assert seeds <= named, sorted(seeds - named)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("bench list")])
def test_what_it_lists_is_there(command: str) -> None:
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(shlex.split(command)[3])


@pytest.fixture(scope="module")
def index() -> ImageIndex:
    """One for all grids, so that no picture is hashed twice."""
    return ImageIndex()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("bench run")])
def test_its_run_has_cells(command: str, index: ImageIndex) -> None:
    _, _, name, *rest = shlex.split(command)
    only = Expression(rest[rest.index("--only") + 1]) if "--only" in rest else None
    parsed = read_grid(find_grid(name))
    planner = Planner(parsed, index, only, limit=1)
    try:
        cells = [c for e in parsed.solvers for g in planner.groups(e) for c in planner.cells("test", e, g)]
    except (DataError, WeightsError):
        assert name in OWN_DATA
    else:
        assert cells


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("bench train")])
def test_its_recipe_is_valid(command: str) -> None:
    words = shlex.split(command)
    changes = settings_of([v for w, v in pairwise(words) if w == "--set"])
    assert read_recipe(path_or_shipped(words[2], "recipes", ".yaml", RecipeError), changes).steps > 0


# --- on small data --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of everything that grids and recipes name."""
    return lay_out(tmp_path_factory.mktemp("home"))


def slow_if(commands: list[str], slow: Callable[[str], bool]) -> list[Any]:
    return [pytest.param(c, marks=pytest.mark.slow) if slow(c) else c for c in commands]


RUNS = [c for c in COMMANDS if c.startswith("bench run")]
#: those of few solvers without a network that takes seconds to import
QUICK = ("L1 by autograd", "KL fidelity", "wiener_admm_tv", "_real")


@pytest.mark.parametrize("command", slow_if(RUNS, lambda c: not any(q in c for q in QUICK)))
@pytest.mark.usefixtures("one_thread")
def test_every_solver_of_its_run_gives_an_estimate(
    command: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, on one picture of 32 pixels, in the first setting."""
    monkeypatch.setenv("HOME", str(home))
    _, _, name, *rest = shlex.split(command)
    only = Expression(rest[rest.index("--only") + 1]) if "--only" in rest else None
    parsed = read_grid(small_grid(name, tmp_path))
    planner = Planner(parsed, ImageIndex(tmp_path / "index"), only, limit=1)
    cells = [next(iter(planner.cells("test", e, planner.settings[:1]))) for e in parsed.solvers if wanted(planner, e)]
    assert cells
    for cell in cells:
        done = attempt(given([cell], "cpu"), [taken(cell).sensed])  # raises where it is no estimate
        assert done.x.size


def wanted(planner: Planner, entry: Any) -> bool:
    return bool(planner.cells("test", entry, planner.settings[:1]))


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS)
def test_its_run_ends_well_is_reported_and_its_samplers_are_drawn(
    command: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command itself, then ``bench report`` of what it leaves, and ``bench show --reverse`` of a sampler."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    _, _, name, *rest = shlex.split(command)
    done = CliRunner().invoke(
        app, ["run", str(small_grid(name, tmp_path)), *rest, "--out", "runs/it", "--limit", "1"]
    )
    assert done.exit_code == 0, done.output
    reported = CliRunner().invoke(app, ["report", "runs/it", "--out", "report"])
    assert reported.exit_code == 0, reported.output
    page = Path("report/index.html").read_text("utf-8")
    assert ("As in the study" in page) == (name in WITH_FORM)
    sampler = next(
        (r for r in results.read(Path("runs/it/results.parquet")) if r["nfe_forward"] and r["prior"]), None
    )
    if sampler is not None:
        drawn = CliRunner().invoke(app, ["show", sampler["cell_key"], "--reverse", "--out", "reverse.png"])
        assert drawn.exit_code == 0, drawn.output
        assert "to the last bit" in drawn.output


TRAININGS = [c for c in COMMANDS if c.startswith("bench train")]


@pytest.mark.parametrize("command", slow_if(TRAININGS, lambda c: "swinir" not in c))
@pytest.mark.usefixtures("one_thread")
def test_its_training_takes_a_step_and_leaves_weights(
    command: str, home: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """With one small crop; the network is the recipe's own."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    resumed = "--resume" in words
    words = [w for w in words if w != "--resume"] + [
        *small_recipe(words[1], 256 if "multi_scale" in command else SIDE),
        "--data-root",
        str(home),
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    out = Path(words[words.index("--out") + 1])
    assert (out / "best.safetensors").is_file()
    assert (out / "history.png").is_file()
    assert (out / "validations").is_dir() == ("keep=100" in words)
    if resumed:
        again = CliRunner().invoke(app, [*words, "--steps", "2", "--resume"])
        assert again.exit_code == 0, again.output


@pytest.mark.parametrize("command", [c for c in COMMANDS if "--forward" in c])
def test_its_schedule_is_drawn(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    assert Path("forward_seed003_ct_28.png").is_file()


def test_every_kind_of_command_is_run_by_one_of_these_tests() -> None:
    kinds = ("run", "report", "show", "train", "list", "deblur", "degrade")
    assert {c.split()[1] for c in COMMANDS} == set(kinds)
    named = {shlex.split(c)[2] for c in RUNS}
    assert {Path(shlex.split(c)[2]).name for c in COMMANDS if c.startswith("bench report")} <= named


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(("bench deblur", "bench degrade"))])
def test_its_pictures_are_written(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    if words[0] == "deblur":
        from PIL import Image

        Path("holiday").mkdir()
        Image.new("L", (24, 24), 128).save("holiday/a.png")
        assert find_plugin("solver", words[words.index("--solver") + 1]).flags["blind"]
    else:
        words += ["--limit", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert any(Path(words[words.index("--out") + 1]).rglob("*.png"))
