"""Every kind of thing that a number depends on: an edit of it computes the cell again, nothing else does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.check.baseline import of_run
from bench.check.verdict import check
from bench.errors import PluginError, ResultError
from bench.plugins.code_digest import code_of
from bench.plugins.contents import unverified
from bench.plugins.lookup import find_plugin, load_plugin
from bench.running.runner import Finished

SOLVER = '''"""A solver."""

from dataclasses import dataclass
from typing import ClassVar

{imports}
from bench import Problem, Solver, import_object


@dataclass(frozen=True)
class Mine(Solver):
    """Multiplies."""

    imports: ClassVar[tuple[str, ...]] = ("model",)

    name: str = "none"
    names: tuple[str, ...] = ()
    model: str = "none"

    def solve(self, problem: Problem):
        """By a factor."""
        return problem.y * ({factor})
'''

Cells = Callable[[], tuple[int, float]]


@pytest.fixture
def cells(tmp_path: Path, write_grid, run_grid, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cells]:
    """Write ``mine.py`` and a grid of it; each call of the result runs them: (cells computed, PSNR of the first)."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # load_plugin appends the folder

    def prepare(imports: str, factor: str, settings: str = "") -> Cells:
        (tmp_path / "mine.py").write_text(SOLVER.format(imports=imports, factor=factor))
        grid = write_grid(f"./mine.py{settings and ': ' + settings}")

        def run() -> tuple[int, float]:
            finished: Finished = run_grid(grid, limit=1)
            assert {r["status"] for r in finished.test} == {"ok"}, finished.test[0]["error_message"]
            return finished.computed, next(iter(finished.test))["m_psnr"]

        return run

    return prepare


def twice(run: Cells, edit: Callable[[], object]) -> None:
    """Nothing runs again by itself; after the edit every cell does, and gives another number."""
    computed, before = run()
    assert computed > 0
    assert run() == (0, before)
    edit()
    again, after = run()
    assert again == computed
    assert after != before


def value(path: Path, number: float) -> Path:
    """A module whose VALUE is that number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"VALUE = {number}\n")
    return path


@pytest.mark.parametrize(
    ("imports", "factor", "file"),
    [
        ("from helper import VALUE", "VALUE", "helper.py"),
        ("from pack import inner", "inner.VALUE", "pack/inner.py"),
        ("def late():\n    import pack.inner\n    return pack.inner.VALUE", "late()", "pack/inner.py"),
    ],
)
def test_a_module_beside_the_plugin_is_in_the_keys(cells, tmp_path, imports: str, factor: str, file: str) -> None:
    run = cells(imports, factor)
    value(tmp_path / "pack/__init__.py", 0)
    value(tmp_path / file, 0.9)
    twice(run, lambda: value(tmp_path / file, 0.5))


def test_what_a_module_beside_the_plugin_imports_is_in_the_keys(cells, tmp_path: Path) -> None:
    run = cells("from pack.outer import VALUE", "VALUE")
    value(tmp_path / "pack/__init__.py", 0)
    (tmp_path / "pack/outer.py").write_text("from .deeper.core import VALUE\n")
    value(tmp_path / "pack/deeper/__init__.py", 0)
    value(tmp_path / "pack/deeper/core.py", 0.9)
    twice(run, lambda: value(tmp_path / "pack/deeper/core.py", 0.5))


def test_a_module_on_the_import_path_is_in_the_keys(cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = cells("from elsewhere_helper import VALUE", "VALUE")
    value(tmp_path / "lib/elsewhere_helper.py", 0.9)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    twice(run, lambda: value(tmp_path / "lib/elsewhere_helper.py", 0.5))


def test_a_file_that_the_code_names_is_in_the_keys(cells, tmp_path: Path) -> None:
    run = cells(
        "import numpy as np\nfrom pathlib import Path", "float(np.load(Path(__file__).with_name('factor.npy')))"
    )
    np.save(tmp_path / "factor.npy", np.array(0.9))
    twice(run, lambda: np.save(tmp_path / "factor.npy", np.array(0.5)))


READ = "float(open(self.{}).read())"


@pytest.mark.parametrize(
    ("factor", "settings"),
    [
        (READ.format("name"), "{name: data/factor.txt}"),
        (READ.format("names[1]"), "{names: [other, data/factor.txt]}"),
        (READ.format("name + '/factor.txt'"), "{name: data}"),
    ],
    ids=["file", "in a list", "folder"],
)
def test_what_a_setting_names_is_in_the_keys_from_the_folder_of_the_grid(
    cells, tmp_path: Path, factor: str, settings: str
) -> None:
    file = tmp_path / "data" / "factor.txt"
    file.parent.mkdir()
    file.write_text("0.9")
    twice(cells("", factor, settings), lambda: file.write_text("0.5"))


@pytest.mark.parametrize("model", ["nets.Factor", "./nets.Factor"])
def test_an_import_path_in_a_setting_is_followed(cells, tmp_path: Path, model: str) -> None:
    code = "from nets_core import VALUE\n\n\ndef Factor():\n    return VALUE\n"
    (tmp_path / "nets.py").write_text(code)
    value(tmp_path / "nets_core.py", 0.9)
    run = cells("", "import_object(self.model)()", f"{{model: {model}}}")
    twice(run, lambda: value(tmp_path / "nets_core.py", 0.5))


def test_weights_behind_any_setting_are_in_the_keys(tmp_path: Path) -> None:
    from bench.plugins.contents import keyed
    from bench.plugins.weights import find_weights, sha256

    (tmp_path / "mine.py").write_text(SOLVER.format(imports="", factor="1.0"))
    plugin = find_plugin("solver", str(tmp_path / "mine.py"))
    assert keyed(plugin, {"name": "photos"}) == {"name": {"content": sha256(find_weights("photos"))}}


def test_shipped_weights_are_meant_whatever_the_folder_of_the_grid_holds_under_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.plugins.contents import from_folder, keyed

    prior, before = find_plugin("prior", "trained"), {"weights": "photos_rgb"}
    keys = keyed(prior, before)
    (tmp_path / "photos_rgb").mkdir()
    (tmp_path / "photos_rgb" / "holiday.png").write_text("a picture")
    monkeypatch.chdir(tmp_path)
    assert from_folder(prior, before, tmp_path) == before
    assert keyed(prior, before) == keys


def test_where_a_setting_may_mean_a_folder_or_the_shipped_weights_of_that_name_both_are_in_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.plugins.contents import content_of, keyed
    from bench.plugins.weights import find_weights, sha256

    (tmp_path / "mine.py").write_text(SOLVER.format(imports="", factor="1.0"))
    folder = value(tmp_path / "photos" / "list.py", 1).parent
    monkeypatch.chdir(tmp_path)
    both = {"content": content_of(folder), "weights": sha256(find_weights("photos"))}
    assert keyed(find_plugin("solver", str(tmp_path / "mine.py")), {"name": "photos"}) == {"name": both}


def test_paths_are_not_in_the_keys(cells, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("0.9")
    assert cells("", READ.format("name"), "{name: a.txt}")()[0] > 0
    assert cells("", READ.format("name"), "{name: b.txt}")()[0] == 0


def test_names_and_versions_of_installed_packages_are_in_the_keys(tmp_path: Path) -> None:
    from importlib.metadata import version

    (tmp_path / "mine.py").write_text(
        SOLVER.format(imports="import numpy\nimport skimage.draw\nimport json", factor="1")
    )
    packages = code_of(find_plugin("solver", str(tmp_path / "mine.py"))).packages
    assert {f"numpy {version('numpy')}", f"scikit-image {version('scikit-image')}"} <= set(packages)
    assert not [p for p in packages if p.startswith(("json", "bench", "dataclasses"))]


def test_another_version_of_a_package_is_another_key(cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    value(site / "tinylib/__init__.py", 0.9)
    about = site / "tinylib-1.0.dist-info/METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: tinylib\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(site)
    (tmp_path / "mine.py").write_text(SOLVER.format(imports="import tinylib", factor="1"))
    assert "tinylib 1.0" in code_of(find_plugin("solver", str(tmp_path / "mine.py"))).packages


OPEN_ENDS = {
    "imports by name": "from importlib import import_module",
    "runs code": "exec('pass')",
    "reaches out": "import urllib.request",
    "neither installed nor beside": "import nowhere_to_be_seen_at_all",
}


@pytest.mark.parametrize("reason", OPEN_ENDS)
def test_what_cannot_be_followed_is_marked(tmp_path: Path, reason: str) -> None:
    (tmp_path / "mine.py").write_text(SOLVER.format(imports=OPEN_ENDS[reason], factor="1"))
    plugin = find_plugin("solver", str(tmp_path / "mine.py"))
    assert reason in unverified(plugin, {})


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    import nowhere_to_be_seen\nexcept ImportError:\n    pass",
        "import importlib.metadata",
        "import re\nre.compile('a')",
    ],
)
def test_what_can_be_followed_is_not_marked(tmp_path: Path, code: str) -> None:
    (tmp_path / "mine.py").write_text(SOLVER.format(imports=code, factor="1"))
    assert unverified(find_plugin("solver", str(tmp_path / "mine.py")), {}) == ""


def test_every_built_in_plugin_can_be_followed() -> None:
    from bench.plugins.describe import KINDS
    from bench.plugins.lookup import built_in

    assert [p.name for kind in KINDS for p in built_in(kind) if unverified(p, {})] == []  # type: ignore[arg-type]


def test_unverified_rows_say_so_and_do_not_pass_the_gate(tmp_path: Path, write_grid, run_grid) -> None:
    (tmp_path / "mine.py").write_text(SOLVER.format(imports="import importlib", factor="0.9"))
    finished = run_grid(write_grid("./mine.py", "@copy.py"), limit=1)
    marked = {r["solver"]: r["unverified"] for r in finished.test}
    assert marked == {"mine": "mine.py imports by name (importlib)", "copy": None}
    record = of_run(finished.folder)
    with pytest.raises(ResultError, match=r"cannot be followed.*mine \(mine\.py imports by name"):
        check(record, record)


def test_two_modules_of_one_name_are_refused_rather_than_mixed_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("one", "two"):
        value(tmp_path / name / "twin_helper.py", len(name))
        (tmp_path / name / "mine.py").write_text(SOLVER.format(imports="import twin_helper", factor="1"))
    load_plugin(find_plugin("solver", str(tmp_path / "one/mine.py")))
    with pytest.raises(PluginError, match="rename one of the two"):
        load_plugin(find_plugin("solver", str(tmp_path / "two/mine.py")))
    sys.modules.pop("twin_helper")
