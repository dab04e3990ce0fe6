"""What the README shows works. Skipped where there is no README, as beside an installed wheel."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.grid.read import read_grid
from bench.testing import check_solver

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="there is no README beside the tests")


def blocks(language: str, file: str = "README.md") -> list[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_its_solver_conforms(tmp_path: Path) -> None:
    (tmp_path / "landweber.py").write_text(blocks("python")[0])
    check_solver("./landweber.py", base=tmp_path)
    assert len(blocks("python")[0].splitlines()) <= 25


def test_its_grid_is_valid(tmp_path: Path) -> None:
    (tmp_path / "landweber.py").write_text(blocks("python")[0])
    (tmp_path / "grid.yaml").write_text(blocks("yaml")[0])
    grid = read_grid(tmp_path / "grid.yaml")
    assert len(grid.solvers) == 5


@pytest.mark.parametrize(
    "line", [x for b in blocks("bash") for x in b.splitlines() if x] if (ROOT / "README.md").is_file() else []
)
def test_its_commands_exist_with_their_options(line: str) -> None:
    words = shlex.split(line)
    assert words[:2] == ["uv", "run"]
    if words[2] == "pytest":
        return
    assert words[2] == "bench"
    shown = CliRunner().invoke(app, [words[3], "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for option in (w for w in words if w.startswith("--")):
        assert option in shown.output


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_tests_and_scripts_that_the_statistics_page_names_exist() -> None:
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", (ROOT / "docs" / "statistics.md").read_text("utf-8"))
    assert len(named) > 20
    assert [n for n in named if not (ROOT / n).is_file()] == []


def test_the_solver_that_contributing_shows_is_the_one_in_the_tree() -> None:
    assert blocks("python", "CONTRIBUTING.md")[0] == (ROOT / "solvers" / "blurred.py").read_text(encoding="utf-8")
