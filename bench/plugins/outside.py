"""What a plug-in's file brings along from outside the package: files, installed packages, what cannot be followed.

A module is looked for as Python looks for it when the plug-in runs: along ``sys.path``, then in the folders of the
plug-in and of the file that imports it. What lies in site-packages counts by name and version, everything else by
its content.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import NamedTuple

from bench.errors import PluginError
from bench.files import roots
from bench.plugins.import_path import added

#: Modules that import, or run code, by a name that is only known when the plug-in runs.
DYNAMIC = ("importlib", "imp", "pkgutil", "runpy", "zipimport")
#: Parts of them that do neither.
STATIC = ("importlib.metadata", "importlib.resources", "importlib.abc")
#: Functions of that kind.
DYNAMIC_CALLS = ("__import__", "exec", "eval", "compile", "execfile")
#: Modules that fetch from elsewhere, or run other programs.
REMOTE = (
    "aiohttp", "ftplib", "gdown", "http", "httpx", "huggingface_hub", "requests", "socket", "subprocess",
    "torch.hub", "urllib.request", "urllib3", "wget",
)  # fmt: skip
#: Methods of that kind, whatever they are called on.
REMOTE_CALLS = ("from_pretrained", "load_state_dict_from_url", "urlopen", "urlretrieve")


class Outside(NamedTuple):
    """What files bring along.

    Attributes:
        files: the given ones, modules outside installed packages, and files that the code names in a literal.
        modules: name of a followed module -> its file.
        packages: ``name version`` of installed packages, ``name absent`` where one is not installed.
        unverified: what could not be followed, a phrase each.
    """

    files: frozenset[Path]
    modules: Mapping[str, Path]
    packages: frozenset[str]
    unverified: tuple[str, ...]


def follow(files: Iterable[Path], modules: Iterable[tuple[str, Path]] = ()) -> Outside:
    """Everything that these files, and these modules as seen from a folder, bring along, transitively."""
    files = set(files)
    walk = _Walk(sorted({f.parent for f in files}))
    for name, folder in modules:
        walk.module(name, folder, "a setting")
    walk.files |= files
    walk.run()
    return Outside(
        frozenset(walk.files), walk.modules, frozenset(walk.packages), tuple(dict.fromkeys(walk.unverified))
    )


def stamp(file: Path) -> tuple[int, int]:
    """What shows that a file was edited. The package's own files do not change while it runs."""
    if ours(file):
        return (0, 0)
    try:
        stat = file.stat()
    except OSError as error:
        raise PluginError(f"{file} cannot be read: {error.strerror}") from error
    return stat.st_mtime_ns, stat.st_size


def ours(file: Path) -> bool:
    """Whether it is a file of the package or one of its plug-ins."""
    kinds = ("bench", "solvers", "priors", "operators", "datasets", "metrics")
    package, *rest = roots()
    return file.is_relative_to(package) or any(file.is_relative_to(r / k) for r in rest for k in kinds)


def folder_of(name: str, folder: Path) -> Path | None:
    """``folder`` where the module lies in it and nowhere on ``sys.path``, else None."""
    top = name.split(".")[0]
    return folder if _on_path(top) is None and PathFinder.find_spec(top, [str(folder)]) is not None else None


class _Walk:
    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self.files: set[Path] = set()
        self.modules: dict[str, Path] = {}
        self.packages: set[str] = set()
        self.unverified: list[str] = []

    def run(self) -> None:
        done: set[Path] = set()
        while todo := self.files - done:
            for file in todo:
                done.add(file)
                if file.suffix == ".py":
                    self._read(file)

    def _read(self, file: Path) -> None:
        text = _parsed(file, stamp(file))
        for name, optional in text.imports:
            self.module(name, file.parent, file.name, optional=optional or ours(file))
        for path in text.relative:
            self.files |= {f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()}
        if not ours(file):
            self.unverified += [f"{file.name} {reason}" for reason in text.unverified]
            self.files |= {p for name in text.literals if (p := _existing(file.parent, name)) is not None}

    def module(self, name: str, folder: Path, importer: str, *, optional: bool = False) -> None:
        """Follow ``import name``, seen from a folder."""
        top, *rest = name.split(".")
        if top == "bench" or top in sys.stdlib_module_names:
            return
        spec = _on_path(top) or PathFinder.find_spec(top, [*map(str, self.folders), str(folder)])
        if spec is None:
            self.packages.add(f"{top} absent")
            if not optional:
                self.unverified.append(f"{importer} imports {top}, which is neither installed nor beside it")
        elif (installed := _installed(top, spec)) is not None:
            self.packages.add(installed)
        else:
            self._local(top, rest, spec)

    def _local(self, top: str, rest: list[str], spec: ModuleSpec) -> None:
        """A module outside installed packages: its file, those of the packages above it, and of what is below."""
        if spec.origin is not None and Path(spec.origin).is_file():
            self._add(top, Path(spec.origin))
        places = [Path(p) for p in spec.submodule_search_locations or ()]
        name = top
        for part in rest:
            name = f"{name}.{part}"
            below = PathFinder.find_spec(name, [str(p) for p in places])
            if below is None:
                return  # the name of a function or class
            if below.origin is not None and Path(below.origin).is_file():
                self._add(name, Path(below.origin))
            places = [Path(p) for p in below.submodule_search_locations or ()]

    def _add(self, name: str, file: Path) -> None:
        self.files.add(file.resolve())
        self.modules[name] = file.resolve()


def _existing(folder: Path, name: str) -> Path | None:
    try:
        path = (folder / name).resolve()
        return path if path.is_file() else None
    except (OSError, ValueError):  # no path at all
        return None


def _on_path(top: str) -> ModuleSpec | None:
    """The module as ``import top`` finds it, whatever was imported before (``find_spec`` would ask sys.modules)."""
    for finder in sys.meta_path:
        if finder is PathFinder:
            spec = PathFinder.find_spec(top, [p for p in sys.path if p not in added])
        else:
            look = getattr(finder, "find_spec", None)
            spec = look(top, None) if look is not None else None
        if spec is not None:
            return spec
    return None


def _installed(top: str, spec: ModuleSpec) -> str | None:
    """``name version`` of the installed package behind a module, None where it is no part of one."""
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    if not any(p and {"site-packages", "dist-packages"} & set(Path(p).parts) for p in places):
        return None
    return _version(top)


@cache
def _version(top: str) -> str | None:
    """``name version`` without the local part (+cpu, +cu128), which names a build and not the code."""
    try:
        return f"{top} {version(top).split('+')[0]}"
    except PackageNotFoundError:  # the package is called otherwise: scikit-image for skimage
        names = sorted(_distributions().get(top, ()))
        return " ".join(f"{n} {version(n).split('+')[0]}" for n in names) or None


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


# --- one file -------------------------------------------------------------------------------------------------


class _Text(NamedTuple):
    imports: tuple[tuple[str, bool], ...]  #: (module, whether the code goes on without it)
    relative: tuple[Path, ...]
    literals: tuple[str, ...]
    unverified: tuple[str, ...]


@cache
def _parsed(file: Path, _stamp: tuple[int, int]) -> _Text:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"{file} cannot be read as Python: {error}") from error
    nodes = list(running(tree))
    guarded = {id(n) for t in nodes if isinstance(t, ast.Try) for body in t.body for n in ast.walk(body)}
    imports = [(name, id(n) in guarded) for n in nodes for name in _imported(n)]
    relative = [p for n in nodes if isinstance(n, ast.ImportFrom) and n.level for p in _relative(n, file.parent)]
    return _Text(tuple(imports), tuple(relative), tuple(_literals(nodes)), tuple(dict.fromkeys(_reasons(nodes))))


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``: what is imported there changes no number."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")):
            yield child
            yield from running(child)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [a.name for a in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [f"{node.module}.{a.name}" for a in node.names]
    return []


def _relative(node: ast.ImportFrom, folder: Path) -> list[Path]:
    for _ in range(node.level - 1):
        folder = folder.parent
    place = folder.joinpath(*(node.module or "").split("."))
    return [place, *(place / a.name for a in node.names)]


def _literals(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Text that might be the name of a file: short, in one line, with a suffix or a folder."""
    for n in nodes:
        text = n.value if isinstance(n, ast.Constant) else None
        if isinstance(text, str) and 2 < len(text) < 256 and ("." in text or "/" in text) and "\n" not in text:
            yield text


def _reasons(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Why this file cannot be followed to the end."""
    for n in nodes:
        for name in _imported(n):
            if _within(name, DYNAMIC) and not _within(name, STATIC):
                yield f"imports by name ({name})"
            if _within(name, REMOTE):
                yield f"reaches out of this process ({name})"
        if isinstance(n, ast.Call):
            called = ast.unparse(n.func)
            if called in DYNAMIC_CALLS or called.removeprefix("builtins.") in DYNAMIC_CALLS:
                yield f"runs code that is only known then ({called})"
            if called.split(".")[-1] in REMOTE_CALLS or _within(called, REMOTE):
                yield f"reaches out of this process ({called})"


def _within(name: str, modules: Iterable[str]) -> bool:
    return any(name == m or name.startswith(f"{m}.") for m in modules)
