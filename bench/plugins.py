"""From a name to a plug-in: the folder is the registry.

A name is looked up as a path (``./mine.py``), a file of the built-in folder, an entry point (groups
``bench.solvers``, ``bench.operators``, ``bench.datasets``), in this order. What a plug-in says about itself is
read from its source, so that listing, planning and validating import neither the plug-in nor torch. Plug-ins are
code: loading one runs it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import bench
from bench.errors import PluginError, did_you_mean

Kind = Literal["solver", "operator", "noise", "dataset"]

#: kind -> (folder and entry point group, name of the contract that its class subclasses)
KINDS: dict[str, tuple[str, str]] = {
    "solver": ("solvers", "Solver"),
    "operator": ("operators", "Operator"),
    "noise": ("operators", "Noise"),
    "dataset": ("datasets", "Dataset"),
}


@dataclass(frozen=True)
class Setting:
    """One field of a plug-in, as its source states it.

    Attributes:
        annotation: the type, as text.
        default: the literal default; meaningless when ``required``.
        tune: the search range that ``tunable(...)`` declares, or None.
        doc: the ``#:`` comment after the field.
    """

    name: str
    annotation: str
    default: Any = None
    required: bool = False
    tune: dict[str, Any] | None = None
    doc: str = ""


@dataclass(frozen=True)
class Plugin:
    """A solver, operator, noise model or dataset, described without importing it.

    Attributes:
        name: as the user wrote it (paths keep their ``./``).
        path: the source file; ``module``: its import name, or None when it is loaded from the path.
        flags: literal ClassVars (blind, stochastic, random, family, reference, ...).
    """

    kind: Kind
    name: str
    path: Path
    module: str | None
    class_name: str
    summary: str
    settings: dict[str, Setting] = field(hash=False)
    flags: dict[str, Any] = field(hash=False)

    @property
    def label(self) -> str:
        """Short name for tables: the stem of a path."""
        return self.path.stem if self.module is None else self.name


def folder(name: str) -> Path | None:
    """A built-in folder (solvers, operators, datasets, grids), in a checkout or in an installed wheel."""
    for root in bench.__path__:
        if (path := Path(root) / name).is_dir():
            return path
    return None


def shipped(name: str, suffix: str) -> dict[str, Path]:
    """The files of a built-in folder by their names without ``suffix``; none where there is no such folder."""
    place = folder(name)
    return {p.stem: p for p in sorted(place.glob(f"*{suffix}"))} if place else {}


def names(kind: Kind) -> list[str]:
    """Names of the built-in plug-ins of a kind, and of those that entry points add."""
    return sorted({p.name for p in built_in(kind)} | {e.name for e in entry_points(group=f"bench.{KINDS[kind][0]}")})


@cache
def built_in(kind: Kind) -> tuple[Plugin, ...]:
    """Every built-in plug-in of a kind, by name. A file without the kind's class is not one of them."""
    place = folder(KINDS[kind][0])
    if place is None:
        return ()
    files = sorted([*place.glob("[!_]*.py"), *place.glob("[!_]*/__init__.py")])
    found = (_describe(kind, _stem(f), f, f"bench.{place.name}.{_stem(f)}") for f in files)
    return tuple(p for p in found if p is not None)


def _stem(file: Path) -> str:
    return file.parent.name if file.name == "__init__.py" else file.stem


@cache
def find(kind: Kind, name: str, base: Path | None = None) -> Plugin:
    """Look a plug-in up. ``base``: the folder that a relative path starts from (that of the grid file).

    Raises PluginError with the names that exist and a guess.
    """
    if name.endswith(".py") or "/" in name:
        return _from_path(kind, name, base or Path.cwd())
    place = folder(KINDS[kind][0])
    for file in (place / f"{name}.py", place / name / "__init__.py") if place else ():
        if file.is_file() and not name.startswith("_"):
            return _must_describe(kind, name, file, f"bench.{KINDS[kind][0]}.{name}")
    for entry in entry_points(group=f"bench.{KINDS[kind][0]}", name=name):
        return _from_module(kind, name, entry.value)
    raise PluginError(f"no {kind} is called {name!r}. {did_you_mean(name, names(kind))} A path must end in .py.")


def _from_path(kind: Kind, name: str, base: Path) -> Plugin:
    path = (base / Path(name).expanduser()).resolve()
    if not path.is_file():
        raise PluginError(f"{kind} {name!r}: there is no file {path}")
    return _must_describe(kind, name, path, None)


def _from_module(kind: Kind, name: str, value: str) -> Plugin:
    module = value.split(":")[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PluginError(f"{kind} {name!r}: its entry point names the module {module!r}, which cannot be found")
    return _must_describe(kind, name, Path(spec.origin), module)


def _must_describe(kind: Kind, name: str, path: Path, module: str | None) -> Plugin:
    plugin = _describe(kind, name, path, module)
    if plugin is None:
        raise PluginError(f"{path} has no public class that subclasses bench.{KINDS[kind][1]}")
    return plugin


def load(plugin: Plugin) -> type:
    """Import the plug-in and return its class. Raises PluginError when the import fails."""
    try:
        module = importlib.import_module(plugin.module) if plugin.module else _import_path(plugin.path)
    except Exception as error:
        raise PluginError(f"{plugin.kind} {plugin.name!r} cannot be imported: {error!r}") from error
    return getattr(module, plugin.class_name)


def _import_path(path: Path) -> Any:
    name = f"bench_user_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


# --- reading the source ---------------------------------------------------------------------------------------


def _describe(kind: Kind, name: str, path: Path, module: str | None) -> Plugin | None:
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"{kind} {name!r}: {path} cannot be read as Python: {error}") from error
    contract = KINDS[kind][1]
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    ours = [c for c in classes if any(ast.unparse(b).split(".")[-1] == contract for b in c.bases)]
    if not ours:
        return None
    if len(ours) > 1:
        raise PluginError(
            f"{path} has {len(ours)} public {contract} classes ({', '.join(c.name for c in ours)}): keep one"
        )
    settings, flags = _fields(ours[0], text.splitlines())
    summary = (ast.get_docstring(ours[0]) or "").split("\n\n")[0].replace("\n", " ")
    return Plugin(kind, name, path, module, ours[0].name, summary, settings, flags)


def _fields(node: ast.ClassDef, lines: list[str]) -> tuple[dict[str, Setting], dict[str, Any]]:
    settings: dict[str, Setting] = {}
    flags: dict[str, Any] = {}
    for item in node.body:
        if isinstance(item, ast.Assign) and len(item.targets) == 1 and isinstance(item.targets[0], ast.Name):
            flags[item.targets[0].id] = _literal(item.value)
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        annotation = ast.unparse(item.annotation)
        if annotation.startswith("ClassVar"):
            flags[item.target.id] = _literal(item.value)
        else:
            setting = _setting(item.target.id, annotation, item.value, _comment(lines, item))
            settings[setting.name] = setting
    return settings, flags


def _setting(name: str, annotation: str, value: ast.expr | None, doc: str) -> Setting:
    if value is None:
        return Setting(name, annotation, required=True, doc=doc)
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "tunable":
        given = {k.arg or "": _literal(k.value) for k in value.keywords}
        tune = {"low": given["low"], "high": given["high"], "n": given.get("n", 7), "log": given.get("log", True)}
        return Setting(name, annotation, default=_literal(value.args[0]), tune=tune, doc=doc)
    return Setting(name, annotation, default=_literal(value), doc=doc)


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        pass
    if ast.unparse(node) in ("float('inf')", "math.inf", "inf"):
        return float("inf")
    raise PluginError(
        f"line {node.lineno}: {ast.unparse(node)!r} must be a literal, so that it can be read without importing"
    )


def _comment(lines: list[str], item: ast.AnnAssign) -> str:
    """The ``#:`` comment on the field's last line, or those on the lines right above it."""
    _, found, doc = lines[(item.end_lineno or item.lineno) - 1].partition("#:")
    if found:
        return doc.strip()
    above: list[str] = []
    for line in reversed(lines[: item.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        above.insert(0, line.strip().removeprefix("#:").strip())
    return " ".join(above)
