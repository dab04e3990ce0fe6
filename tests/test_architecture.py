"""The house rules: who may import whom, what costs nothing to import, and how large a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench import atomic, plugins

ROOTS = [Path(p) for p in bench.__path__]
BENCH = sorted(
    p for p in ROOTS[0].rglob("*.py") if p.relative_to(ROOTS[0]).parts[0] not in ("solvers", "operators", "datasets")
)
PLUGINS = sorted(
    p for kind in ("solvers", "operators", "datasets") for p in (atomic.folder(kind) or Path()).rglob("*.py")
)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return found


def test_the_harness_imports_no_plugin() -> None:
    for path in BENCH:
        guilty = {i for i in imports(path) if i.startswith(("bench.solvers", "bench.operators", "bench.datasets"))}
        assert not guilty, f"{path.name} imports {guilty}"


@pytest.mark.parametrize("path", PLUGINS, ids=lambda p: p.stem)
def test_a_plugin_imports_no_plugin_and_no_machinery(path: Path) -> None:
    machinery = ("grid", "plan", "run", "cli", "engine", "journal", "report", "worker", "tune", "results")
    forbidden = ("bench.solvers", "bench.operators", "bench.datasets", *(f"bench.{m}" for m in machinery))
    assert not {i for i in imports(path) if i.startswith(forbidden)}


def test_the_plugin_folders_are_no_packages() -> None:
    for kind in ("solvers", "operators", "datasets"):
        assert not ((atomic.folder(kind) or Path()) / "__init__.py").exists()


@pytest.mark.parametrize(
    "code",
    [
        "import bench",
        "from bench import cli",
        "from bench import grid; grid.read(grid.find('quickstart'))",
        "from bench.report.build import build",
        "from bench import describe, plugins; [plugins.built_in(k) for k in describe.KINDS]",
    ],
)
def test_planning_listing_and_reporting_do_not_import_torch(code: str) -> None:
    blocked = f"import sys; sys.modules['torch'] = None; sys.modules['deepinv'] = None\n{code}"
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_everything_the_door_names_is_behind_it() -> None:
    assert all(hasattr(bench, name) for name in bench.__all__)
    assert list(bench.__all__) == sorted(bench.__all__)


@pytest.mark.parametrize("path", [*BENCH, *PLUGINS], ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_operator_and_dataset_works_without_torch() -> None:
    names = [(p.kind, p.name) for kind in ("operator", "noise", "dataset") for p in plugins.built_in(kind)]
    code = (
        "import sys\nfrom bench import plugins\n"
        f"for kind, name in {names!r}: plugins.load(plugins.find(kind, name))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
