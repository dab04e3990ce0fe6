"""Content keys: what a number depends on, and nothing else.

A cell's key covers the code that made it (comments, docstrings, formatting and the names of first-party modules
aside) with what that imports from outside installed packages, the names and versions of the installed packages that
it imports, the resolved settings and the content of what they name, the image's pixels, the degradation, the seed and
the protocol. It does not cover paths, hosts, timeouts or workers; these are recorded beside the result.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench.errors import PluginError
from bench.files import roots
from bench.plugins.describe import Plugin
from bench.plugins.outside import follow, running, stamp

#: What measures, solves and scores, as rooms and modules: every cell's numbers pass through it.
HARNESS = (
    "bench.imaging",
    "bench.scoring.evaluate",
    "bench.methods.make_problem",
    "bench.running.solve",
    "bench.running.score",
)

#: What the harness imports and yet is no part of it: what counts a prior's calls belongs to the solvers that use one,
#: and what reads picture files to the datasets that do; of these the key holds the pixels.
APART = ("bench.methods.diffusion.denoiser", "bench.imaging.picture_files", "bench.imaging.pairs")
DENOISER = APART[0]

#: What stores, describes or looks up: it changes no number, or only through what the key holds already (settings,
#: the hash of an image's pixels, that of weights).
SILENT = (
    "bench.errors",
    "bench.files",
    "bench.grid",
    "bench.plugins",
    "bench.results",
    "bench.running.environment",
    "bench.running.complexity",
)


class Code(NamedTuple):
    """What a plug-in's numbers owe to code.

    Attributes:
        digest: sha256 over the normalised source of the plug-in and of all that it imports from outside installed
            packages, transitively.
        packages: ``name version`` of the installed packages that those files import.
        unverified: what could not be followed, a phrase each.
    """

    digest: str
    packages: tuple[str, ...]
    unverified: tuple[str, ...]


def code_digest(plugin: Plugin) -> str:
    """The ``digest`` of ``code_of(plugin)``."""
    return code_of(plugin).digest


def code_of(plugin: Plugin) -> Code:
    """The code behind a plug-in, read again when one of its files was edited. Raises PluginError."""
    stored = _codes.get(plugin)
    if stored is None or any(_stamp_now(f) != s for f, s in stored[0].items()):
        outside = follow(start_files(plugin))
        files = closure(outside.files)
        code = Code(_digest(files), tuple(sorted(follow(files).packages)), outside.unverified)
        stored = _codes[plugin] = {f: stamp(f) for f in outside.files}, code
    return stored[1]


_codes: dict[Plugin, tuple[dict[Path, tuple[int, int]], Code]] = {}


def _stamp_now(file: Path) -> tuple[int, int] | None:
    try:
        return stamp(file)
    except PluginError:  # it is gone
        return None


def start_files(plugin: Plugin) -> set[Path]:
    """The plug-in's own files: all of its folder where it is one; what counts calls of a prior where it needs one."""
    files = {plugin.path}
    if plugin.flags.get("needs_prior"):
        files |= files_of(DENOISER)
    if plugin.path.name == "__init__.py":
        files |= set(plugin.path.parent.rglob("*.py"))
    return files


def digest_of(files: Iterable[Path]) -> str:
    """sha256 over the normalised source of these files and of the first-party modules that they import."""
    return _digest(closure(files))


@cache
def harness_digest() -> str:
    """sha256 over the normalised source of what measures, solves and scores, and of what that imports."""
    return _digest(harness_files())


def harness_files() -> set[Path]:
    """The files behind ``harness_digest``."""
    apart = set().union(*(files_of(m) for m in APART))
    return closure(set().union(*(files_of(m) for m in HARNESS)) - apart, without=APART)


def files_of(name: str) -> set[Path]:
    """The file of a module, or every file of a room but the silent ones. Raises PluginError when there is none."""
    file = _file(name)
    if file is None:
        raise PluginError(f"there is no module {name}: content keys would leave its code out")
    if file.name != "__init__.py":
        return {file}
    room = file.parent
    inner = {f: ".".join([name, *f.relative_to(room).with_suffix("").parts]) for f in room.rglob("*.py")}
    return {f for f, module in inner.items() if not _silent(module.removesuffix(".__init__"))}


def closure(files: Iterable[Path], without: Sequence[str] = ()) -> set[Path]:
    """These files and the first-party ones that they import, transitively; neither silent ones nor ``without``."""
    seen = set(files)
    todo = list(seen)
    while todo:
        file = todo.pop()
        for module in _imports(file, stamp(file)) if file.suffix == ".py" else ():
            file = _file(module)
            assert file is not None
            if file not in seen and module not in without:
                seen.add(file)
                todo.append(file)
    return seen


def _digest(files: set[Path]) -> str:
    parts = sorted(_normalised(f, stamp(f)) for f in files)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# --- one file -------------------------------------------------------------------------------------------------


@cache
def _normalised(file: Path, _stamp: tuple[int, int]) -> str:
    """Hash of the syntax tree without docstrings and without the names of first-party modules; of the bytes of a file
    that is no Python.

    Comments and layout do not enter a tree in the first place. A first-party module is written as the definitions
    that are used of it, so that files may be renamed and moved, and code that takes a function from another module
    still differs.
    """
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    modules: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules |= _take_modules(node)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            modules[node.value.id].append(node.attr)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and _ours(node.module):
            node.module = _definitions(node.module, [a.name for a in node.names])
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in modules:
            module, *used = modules[node.id]
            node.id = _definitions(module, sorted(set(used)))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
        node.body = node.body[1:] or [ast.Pass()]


def _take_modules(node: ast.Import | ast.ImportFrom) -> dict[str, list[str]]:
    """Remove the first-party modules from an import; returns their local names with the module."""
    source = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.level == 0 else ""
    taken = {a.asname or a.name: f"{source}{a.name}" for a in node.names if _is_module(f"{source}{a.name}")}
    node.names = [a for a in node.names if (a.asname or a.name) not in taken]
    return {local: [module] for local, module in taken.items()}


def _is_module(name: str) -> bool:
    return _ours(name) and _file(name) is not None


def _definitions(module: str, names: Iterable[str]) -> str:
    """A short hash of these names and, unless the module is silent, of how it defines them."""
    file = None if _silent(module) or module in APART else _file(module)
    known = _defined(file) if file else {}
    return "module_" + hashlib.sha256("\n".join(known.get(n, n) for n in names).encode()).hexdigest()[:16]


@cache
def _defined(file: Path) -> dict[str, str]:
    """What a module defines at its top, without docstrings and the names of modules."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    modules: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules |= set(_take_modules(node))
            if isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
                node.module = "module"
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in modules:
            node.id = "module"
    return {name: ast.dump(node) for node in tree.body for name in _names(node)}


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = (
        node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    )
    return [t.id for t in targets if isinstance(t, ast.Name)]


# --- what it imports ------------------------------------------------------------------------------------------


@cache
def _imports(file: Path, _stamp: tuple[int, int]) -> frozenset[str]:
    """The first-party modules that run with a file. Raises PluginError for one that is not there."""
    modules: set[str] = set()
    for node in running(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {_must_exist(a.name, file) for a in node.names if _ours(a.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0 and _ours(node.module):
            modules |= {_behind(_must_exist(node.module, file), a.name) for a in node.names}
    return frozenset(m for m in modules if m != "bench" and not _silent(m))


def _behind(module: str, name: str) -> str:
    """The module that ``from module import name`` runs: a submodule, or the one that the public door opens to."""
    if _file(f"{module}.{name}") is not None:
        return f"{module}.{name}"
    return _door().get(name, module) if module == "bench" else module


@cache
def _door() -> dict[str, str]:
    """Where each name of ``bench/__init__.py`` lives."""
    tree = ast.parse((roots()[0] / "__init__.py").read_text(encoding="utf-8"))
    opened = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module and _ours(n.module)]
    return {a.name: str(n.module) for n in opened for a in n.names}


def _must_exist(module: str, importer: Path) -> str:
    if module != "bench" and _file(module) is None:
        raise PluginError(f"{importer} imports {module}, and there is no such module")
    return module


def _ours(module: str) -> bool:
    return module.split(".")[0] == "bench"


def _silent(module: str) -> bool:
    return any(module == s or module.startswith(f"{s}.") for s in SILENT)


@cache
def _file(module: str) -> Path | None:
    """The file of a first-party module, wherever the folder of its kind lies; None when there is none."""
    _, *parts = module.split(".")
    for root in roots() if parts else ():
        place = root.joinpath(*parts)
        for candidate in (place.with_suffix(".py"), place / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None
