"""Content keys: what a number depends on, and nothing else.

A cell's key covers the code that made it (comments, docstrings and formatting aside, first-party imports
included), the resolved settings, the image's pixels, the degradation, the seed and the protocol. It does not
cover paths, hosts, timeouts, workers or library versions; these are recorded beside the result.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import bench
from bench.plugins import Plugin

#: First-party modules whose code every cell's numbers pass through.
_HARNESS = ("bench.measure", "bench.assemble", "bench.worker", "bench.metrics", "bench.seeds")

#: Modules that only describe or report: what they say changes no number.
_SILENT = {"bench", "bench.errors", "bench.plugins", "bench.settings"}


#: What runs trained weights: part of the solvers that use it, not of the harness that hands it to them.
_PRIORS = "bench.priors"


@cache
def code_digest(plugin: Plugin) -> str:
    """sha256 over the plug-in's normalised source and that of the first-party modules it imports, transitively."""
    files = {plugin.path}
    if plugin.flags.get("needs_prior") and (priors := _file(_PRIORS)):
        files.add(priors)
    if plugin.path.name == "__init__.py":
        files |= set(plugin.path.parent.rglob("*.py"))
    return _digest(_closure(files))


@cache
def harness_digest() -> str:
    """sha256 over the normalised source of what measures and scores."""
    return _digest(_closure({f for m in _HARNESS if (f := _file(m))}, without=_PRIORS))


def _digest(files: set[Path]) -> str:
    parts = sorted(_normalised(f) for f in files)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _closure(files: set[Path], without: str | None = None) -> set[Path]:
    todo, seen = list(files), set(files)
    while todo:
        for module in _imports(todo.pop()):
            file = _file(module)
            if file is not None and file not in seen and module != without:
                seen.add(file)
                todo.append(file)
    return seen


@cache
def _normalised(file: Path) -> str:
    """Hash of the syntax tree without docstrings: comments and layout do not enter a tree in the first place."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


@cache
def _imports(file: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in _running(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "bench":
                found |= {f"bench.{a.name}" for a in node.names}
                found.add("bench.contracts")
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return frozenset(m for m in found if m.split(".")[0] == "bench" and m not in _SILENT)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``: what is imported there changes no number."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _running(child)


@cache
def _file(module: str) -> Path | None:
    relative = Path(*module.split(".")[1:])
    for root in bench.__path__:
        for candidate in (Path(root) / relative.with_suffix(".py"), Path(root) / relative / "__init__.py"):
            if relative.parts and candidate.is_file():
                return candidate
    return None
