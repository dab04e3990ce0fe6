"""Content keys: what changes them, and what must not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.plugins.code_digest import closure, code_digest
from bench.plugins.lookup import find_plugin
from bench.running.exposure import solver_key
from bench.seeds import canonical, digest, generator, keyed

SOLVER = '''"""A solver."""

from dataclasses import dataclass

from bench import Problem, Solver


@dataclass(frozen=True)
class Mine(Solver):
    """Mine."""

    lam: float = 0.5

    def solve(self, problem: Problem):
        return problem.y * self.lam
'''


def key_of(path: Path) -> str:
    return code_digest(find_plugin("solver", str(path)))


def test_comments_docstrings_and_layout_do_not_change_the_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOLVER)
    before = key_of(path)
    changed = SOLVER.replace('"""Mine."""', '"""Mine, and well documented."""').replace("y * ", "y  *  ")
    path.write_text(changed + "\n# end\n")
    assert key_of(path) == before


def test_code_changes_the_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOLVER)
    before = key_of(path)
    path.write_text(SOLVER.replace("y * self", "y + self"))
    assert key_of(path) != before


def test_a_moved_file_keeps_its_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOLVER)
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(path, tmp_path / "elsewhere" / "other.py")
    assert key_of(path) == key_of(Path(moved))


def test_a_solver_depends_on_the_first_party_modules_it_imports_and_on_no_others() -> None:
    modules = {f.stem for f in closure({find_plugin("solver", "tv").path})}
    assert {"optim", "contracts", "blur"} <= modules
    assert not modules & {"run", "grid", "report", "cli", "engine"}


def test_keys_do_not_depend_on_labels_paths_or_execution(write_grid: Callable[..., Path]) -> None:
    def cells(path: Path) -> list[str]:
        grid = read_grid(path)
        planner = Planner(grid, ImageIndex())
        return [c.key for c in planner.cells("test", grid.solvers[0], planner.settings)]

    plain = cells(write_grid("@copy.py"))
    named = write_grid("@copy.py: {id: other}", run="retries: 5", name="b.yaml")
    named.write_text(named.read_text().replace("id: walk", "id: stroll").replace("timeout: 20", "timeout: 30"))
    assert cells(named) == plain
    reseeded = write_grid("@copy.py", name="c.yaml")
    reseeded.write_text(reseeded.read_text().replace("seed: 7", "seed: 8"))
    assert not set(cells(reseeded)) & set(plain)


def test_the_content_of_a_psf_file_is_in_the_key_and_its_path_is_not(
    tmp_path: Path, write_grid: Callable[..., Path]
) -> None:
    import numpy as np

    def key(name: str, kernel: np.ndarray) -> str:
        np.save(tmp_path / name, kernel)
        path = write_grid("@copy.py")
        walk = Path(__file__).parents[1] / "example_plugins" / "walk.py"
        path.write_text(path.read_text().replace(f"{walk}: {{id: walk, T: [0.5, 1.0]}}", f"file: {{path: {name}}}"))
        planner = Planner(read_grid(path), ImageIndex())
        return planner.shots(planner.settings[0], "test")[0][0].key

    box, ramp = np.ones((3, 3)), np.arange(1, 10.0).reshape(3, 3)
    assert key("a.npy", box) == key("b.npy", box)
    assert key("a.npy", ramp) != key("b.npy", box)


def test_canonical_json_is_one_text_for_one_value() -> None:
    assert canonical({"b": 1, "a": [1.5, float("inf")]}) == '{"a":[1.5,Infinity],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})


def test_generators_are_keyed_by_content() -> None:
    assert generator(1, "a").random() == generator(1, "a").random()
    assert generator(1, "a").random() != generator(1, "b").random()
    assert len(digest([1, "a"])) == 64


def test_what_a_solver_draws_does_not_change_with_the_code_of_blur_and_noise(write_grid, tmp_path: Path) -> None:
    grid = read_grid(write_grid("@dice.py"))
    planner = Planner(grid, ImageIndex(tmp_path / "index"))
    shot = next(planner.cells("test", grid.solvers[0], planner.settings)).shot
    draws = [keyed(solver_key(s, "dice")).random() for s in (shot, replace(shot, key="of other code"))]
    assert draws[0] == draws[1]
    assert keyed(solver_key(replace(shot, rep=1), "dice")).random() != draws[0]
