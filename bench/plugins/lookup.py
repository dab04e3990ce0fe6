"""From a name to a plug-in: the folder is the registry.

A name is looked up as a path (``./mine.py``), a file of the built-in folder, an entry point (groups
``bench.solvers``, ``bench.priors``, ``bench.operators``, ``bench.datasets``, ``bench.metrics``), in this order. What
a plug-in says about itself is read from its source, so that listing, planning and validating import neither the
plug-in nor torch. Plug-ins are code: loading one runs it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from bench.errors import PluginError, did_you_mean, line_of, message_of
from bench.files import built_in_folder
from bench.plugins import patience
from bench.plugins.describe import KINDS, Kind, Plugin, describe
from bench.plugins.import_path import sees
from bench.plugins.outside import follow, stamp


def plugin_names(kind: Kind) -> list[str]:
    """Names of the built-in plug-ins of a kind, and of those that entry points add."""
    added = {e.name for e in _installed().select(group=f"bench.{KINDS[kind][0]}") if _offers(e.value, kind, e.name)}
    return sorted({p.name for p in built_in(kind)} | added)


@cache
def _installed() -> Any:  # EntryPoints; in Python 3.11 a dict that has its select()
    """All entry points: finding them opens a file of every installed package."""
    return entry_points()


@cache
def _offers(value: str, kind: Kind, name: str) -> bool:
    """Whether the module of an entry point has a class of the kind: operators and noise models share a group."""
    try:
        _from_module(kind, name, value)
    except PluginError:  # whoever asks for it by name is given the reason
        return False
    return True


@cache
def built_in(kind: Kind) -> tuple[Plugin, ...]:
    """Every built-in plug-in of a kind, by name. A file without the kind's class is not one of them."""
    place = built_in_folder(KINDS[kind][0])
    if place is None:
        return ()
    files = sorted([*place.glob("[!_]*.py"), *place.glob("[!_]*/__init__.py")])
    plugins = (describe(kind, _stem(f), f, f"bench.{place.name}.{_stem(f)}") for f in files)
    return tuple(p for p in plugins if p is not None)


def _stem(file: Path) -> str:
    return file.parent.name if file.name == "__init__.py" else file.stem


def find_plugin(kind: Kind, name: str, base: Path | None = None) -> Plugin:
    """Look a plug-in up. ``base``: the folder that a relative path starts from (that of the grid file).

    Raises PluginError with the names that exist and a guess.
    """
    if name.endswith(".py") or "/" in name:
        return _from_path(kind, name, base or Path.cwd())
    return _named(kind, name)


@cache
def _named(kind: Kind, name: str) -> Plugin:
    place = built_in_folder(KINDS[kind][0])
    for file in (place / f"{name}.py", place / name / "__init__.py") if place else ():
        if file.is_file() and not name.startswith("_"):
            return _must_describe(kind, name, file, f"bench.{KINDS[kind][0]}.{name}")
    for entry in _installed().select(group=f"bench.{KINDS[kind][0]}", name=name):
        return _from_module(kind, name, entry.value)
    allowed = did_you_mean(name, plugin_names(kind))
    raise PluginError(f"no {kind} is called {name!r}. {allowed} A path must end in .py.")


def _from_path(kind: Kind, name: str, base: Path) -> Plugin:
    path = (base / Path(name).expanduser()).resolve()
    if not path.is_file():
        raise PluginError(f"{kind} {name!r}: there is no file {path}")
    return _must_describe(kind, name, path, None)


def _from_module(kind: Kind, name: str, value: str) -> Plugin:
    module = value.split(":")[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PluginError(f"{kind} {name!r}: its entry point names {module!r}; there is no such module")
    return _must_describe(kind, name, Path(spec.origin), module)


def _must_describe(kind: Kind, name: str, path: Path, module: str | None) -> Plugin:
    plugin = _described(kind, name, path, module, stamp(path))
    if plugin is None:
        raise PluginError(f"{path} has no public class that subclasses bench.{KINDS[kind][1]}")
    return plugin


@cache
def _described(kind: Kind, name: str, path: Path, module: str | None, _stamp: tuple[int, int]) -> Plugin | None:
    return describe(kind, name, path, module)


def load_plugin(plugin: Plugin) -> type:
    """Import the plug-in and return its class. Raises PluginError when the import fails or does not end."""
    with patience.limited(patience.LOADING, f"importing {plugin.kind} {plugin.name!r} ({plugin.path})"):
        return getattr(_module(plugin), plugin.class_name)


def _module(plugin: Plugin) -> Any:
    try:
        return importlib.import_module(plugin.module) if plugin.module else _import_path(plugin.path)
    except (Exception, SystemExit) as error:
        where, why = line_of(error, plugin.path), message_of(error)
        raise PluginError(
            f"{plugin.kind} {plugin.name!r} cannot be imported: {where}: {type(error).__name__}: {why}"
        ) from error


def _import_path(path: Path) -> Any:
    """The module in a file, anew after an edit; modules beside it can be imported, after all others."""
    name = f"bench_user_{hashlib.sha256(f'{path} {stamp(path)}'.encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    sees(path.parent)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
        _require_own_modules(path)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _require_own_modules(path: Path) -> None:
    """Raise PluginError where another module runs than the one that the keys hold: two files of one name."""
    for name, file in follow([path]).modules.items():
        imported = getattr(sys.modules.get(name), "__file__", None)
        if imported is not None and Path(imported).resolve() != file:
            raise PluginError(
                f"{path} imports {name}: {file} is meant, {imported} was imported; rename one of the two"
            )
