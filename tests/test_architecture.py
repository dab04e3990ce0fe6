"""The house rules: who may import whom, what costs nothing to import, and how large a file may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.files import built_in_folder, roots
from bench.plugins.lookup import built_in

PACKAGE = roots()[0]
KINDS = ("solvers", "priors", "operators", "datasets", "metrics")
#: what lies beside the package in a checkout, and in it in a wheel
BESIDE = (*KINDS, "grids", "recipes", "sites", "weights")
BENCH = sorted(p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] not in BESIDE)
PLUGINS = sorted(p for kind in KINDS for p in (built_in_folder(kind) or Path()).rglob("*.py"))

#: modules that every room may import
GROUND = {"contracts", "errors", "seeds", "files"}
#: what each room may import besides the ground and itself
ROOMS: dict[str, set[str]] = {
    "imaging": set(),
    "plugins": set(),
    "statistics": set(),
    "methods": {"imaging", "plugins"},
    "scoring": {"imaging", "plugins"},
    "grid": {"plugins", "imaging", "scoring"},
    "results": {"scoring", "statistics"},
    "running": {"grid", "results", "plugins", "imaging", "methods", "scoring", "statistics"},
    "report": {"results", "scoring", "imaging", "statistics"},
    "check": {"report", "results", "scoring", "statistics"},
    "verify": {"methods", "imaging", "plugins", "scoring", "statistics"},
    "train": {"methods", "imaging", "plugins", "grid"},
    "testing": {"verify"},
    "cli": {
        "grid",
        "results",
        "running",
        "report",
        "check",
        "verify",
        "train",
        "plugins",
        "imaging",
        "methods",
        "scoring",
    },
}
#: rooms that plug-ins of a folder may import, besides the public door
FOR_PLUGINS = {
    "solvers": {"methods", "errors"},
    "priors": {"methods", "plugins", "errors"},
    "operators": {"imaging", "errors"},
    "datasets": {"imaging", "seeds", "errors"},
    "metrics": {"imaging", "scoring", "errors"},
}


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, at its top, in functions and for types alike."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return names


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("bench", *(parts[:-1] if parts[-1] == "__init__" else parts)))


MODULES = {module_of(p): p for p in BENCH}


def first_party(path: Path) -> set[str]:
    """The modules of the package that a file imports; the package's door is ``bench``."""
    return {m for m in imports(path) if m in MODULES}


def rooms(modules: set[str]) -> set[str]:
    return {m.split(".")[1] for m in modules if m != "bench"}


@pytest.mark.parametrize("path", BENCH, ids=lambda p: module_of(p))
def test_every_import_obeys_the_whitelist(path: Path) -> None:
    room, *_ = path.relative_to(PACKAGE).with_suffix("").parts
    if room in ("__init__", "__main__"):
        return
    allowed = GROUND if room in GROUND else {room, *GROUND, *ROOMS[room]}
    assert rooms(first_party(path)) <= allowed


@pytest.mark.parametrize("path", PLUGINS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_plugin_imports_the_door_and_its_rooms_alone(path: Path) -> None:
    kind = next(part for part in reversed(path.parts) if part in KINDS)
    assert rooms(first_party(path)) <= FOR_PLUGINS[kind]
    assert not {i for i in imports(path) if i.startswith(tuple(f"bench.{k}" for k in KINDS))}


def test_the_harness_imports_no_plugin() -> None:
    for path in BENCH:
        assert not {i for i in imports(path) if i.startswith(tuple(f"bench.{k}" for k in KINDS))}, path


def test_no_import_goes_round() -> None:
    graph = {m: first_party(p) - {m, "bench"} for m, p in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for other in graph[module]:
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_the_top_level_can_be_taken_in_at_a_glance() -> None:
    assert (
        len([p for p in PACKAGE.iterdir() if p.name not in ("__pycache__", *BESIDE) and p.suffix in ("", ".py")])
        <= 20
    )


def test_a_room_has_no_face_that_drags_the_whole_room_along() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent == PACKAGE or path.relative_to(PACKAGE).parts[0] in (*BESIDE, "cli"):
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert [type(n) for n in body] == [ast.Expr], f"{path}: a docstring and nothing else"


def test_the_plugin_folders_are_no_packages() -> None:
    for kind in KINDS:
        assert not ((built_in_folder(kind) or Path()) / "__init__.py").exists()


@pytest.mark.parametrize(
    "code",
    [
        "import bench",
        "from bench import cli",
        "from bench.grid.read import find_grid, read_grid; read_grid(find_grid('quickstart'))",
        "from bench.report.page import build",
        "from bench.plugins import describe, lookup; [lookup.built_in(k) for k in describe.KINDS]",
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


def test_functions_are_short() -> None:
    lengths = sorted(
        length(node)
        for path in [*BENCH, *PLUGINS]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[int(0.9 * len(lengths))] <= 20


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    docstring = ast.get_docstring(node, clean=False)
    return (node.end_lineno or 0) - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)


def test_every_operator_dataset_and_metric_is_imported_without_torch() -> None:
    names = [(p.kind, p.name) for kind in ("operator", "noise", "dataset", "metric") for p in built_in(kind)]
    code = (
        "import sys\nfrom bench.plugins import lookup\n"
        f"for kind, name in {names!r}: lookup.load_plugin(lookup.find_plugin(kind, name))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


CHECKOUT = PACKAGE.parent
TEXTS = [p for p in [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")] if p.name != "CHANGELOG.md"]
PLACES = "bench|solvers|priors|operators|datasets|metrics|tests|benchmarks|grids|recipes"


@pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").is_file(), reason="there are no docs beside the package")
def test_every_path_and_module_that_the_docs_name_exists() -> None:
    for file in TEXTS:
        text = file.read_text(encoding="utf-8")
        for path in re.findall(rf"(?<![\w/.])((?:{PLACES})/[\w/-]+\.py)\b", text):
            assert "NAME" in path or (CHECKOUT / path).exists(), f"{file.name} names {path}"
        for name in re.findall(r"`(bench(?:\.[a-z_0-9]+)+)", text):
            assert exists(name.split(".")), f"{file.name} names {name}"


def exists(parts: list[str]) -> bool:
    """Whether bench.a.b.c is a module, or a name in one."""
    known = [".".join(parts[:n]) for n in range(len(parts), 1, -1) if ".".join(parts[:n]) in MODULES]
    if not known:
        return parts[1] in KINDS or hasattr(bench, parts[1])
    rest = known[0].count(".") + 1
    text = MODULES[known[0]].read_text(encoding="utf-8")
    return rest == len(parts) or re.search(rf"\b{parts[rest]}\b", text) is not None
