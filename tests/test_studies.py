"""docs/studies.md names a command for everything that the studies describe: each finds what it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import DataError, RecipeError, WeightsError
from bench.files import path_or_shipped, shipped_files
from bench.grid.conditions import Expression
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import find_grid, read_grid
from bench.plugins.lookup import find_plugin
from bench.train.recipe.read import read as read_recipe

PAGE = Path(__file__).parent.parent / "docs" / "studies.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="there are no docs beside the tests")
ROWS = re.findall(
    r"^\| (00[0-4]) \| (.+?) \| `(bench .+?)` \|$", PAGE.read_text("utf-8") if PAGE.is_file() else "", re.M
)
COMMANDS = list(dict.fromkeys(command for _, _, command in ROWS))
#: grids on pictures that do not ship: what they say without them is tested where they are
OWN_DATA = ("seed001_table1", "seed001_gopro", "seed002_real", "seed004_own")


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
    assert read_recipe(path_or_shipped(shlex.split(command)[2], "recipes", ".yaml", RecipeError)).steps > 0


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
