"""What the settings of a plug-in point at: files, folders, weights, modules. Keys hold contents, never paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import PluginError, WeightsError
from bench.files import shipped_files
from bench.plugins.code_digest import code_of, digest_of
from bench.plugins.describe import Parameter, Plugin
from bench.plugins.import_path import split
from bench.plugins.outside import Outside, folder_of, follow
from bench.plugins.weights import find_weights, sha256
from bench.seeds import digest


def keyed(plugin: Plugin, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the sha256 of the content in place of every name of a file, a folder, weights or a module."""
    return {name: _mapped(value, lambda text, n=name: _content(plugin, n, text)) for name, value in settings.items()}


def from_folder(plugin: Plugin, settings: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The settings with every relative path that exists below ``base`` made absolute, those in lists included.

    One called ``path`` becomes absolute whether it exists or not, so that an error names what was looked for.
    """
    return {n: _mapped(value, lambda text, n=n: _absolute(plugin, n, text, base)) for n, value in settings.items()}


def unverified(plugin: Plugin, settings: Mapping[str, Any]) -> str:
    """What of a plug-in's code cannot be followed, as phrases; empty where all of it is in the keys."""
    imported = [o for n in imports(plugin) if (o := _followed(settings.get(n))) is not None]
    reasons = [r for o in (code_of(plugin), *imported) for r in o.unverified]
    return "; ".join(dict.fromkeys(reasons))


def imports(plugin: Plugin) -> tuple[str, ...]:
    """The parameters whose values are import paths."""
    return tuple(plugin.flags.get("imports") or ())


def _mapped(value: Any, change: Callable[[str], Any]) -> Any:
    """Plain data with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {k: _mapped(v, change) for k, v in value.items()}
    return [_mapped(v, change) for v in value] if isinstance(value, list | tuple) else value


def _free(parameter: Parameter | None) -> bool:
    """Whether a text may stand there that the plug-in did not list itself."""
    return parameter is None or "str" in parameter.annotation or "Any" in parameter.annotation


def _content(plugin: Plugin, name: str, text: str) -> Any:
    if name in imports(plugin):
        outside = _followed(text)
        return text if outside is None else {"import": text.rpartition("/")[2], "content": _digest_of(outside)}
    if not _free(plugin.parameters.get(name)):
        return text
    path = None if _means_weights(name, text) else _path(text)
    if path is not None:
        shipped = {"weights": sha256(find_weights(text))} if _is_shipped(text) else {}  # which, the plug-in knows
        return {"content": content_of(path), **shipped}
    try:
        return {"content": sha256(find_weights(text))} if text else text
    except WeightsError:
        return text


def _means_weights(name: str, text: str) -> bool:
    """Whether a text names shipped weights, whatever else has that name, as ``find_weights`` reads it."""
    return name == "weights" and _is_shipped(text)


def _is_shipped(text: str) -> bool:
    return text in shipped_files("weights", ".safetensors")


def _followed(name: Any) -> Outside | None:
    """What an import path brings along; None for a name that is none, such as a preset's."""
    if not isinstance(name, str) or "." not in name.rpartition("/")[2]:
        return None
    folder, module, _ = split(name)
    return follow((), [(module, folder or Path.cwd())])


def _digest_of(outside: Outside) -> str:
    return digest([digest_of(outside.files), sorted(outside.packages)])


def _absolute(plugin: Plugin, name: str, text: str, base: Path) -> str:
    if name in imports(plugin):
        return _absolute_import(text, base)
    if name == "path":
        return str((base / Path(text).expanduser()).resolve())
    if not _free(plugin.parameters.get(name)) or text == getattr(plugin.parameters.get(name), "default", None):
        return text
    path = None if _means_weights(name, text) else _path(text, base)
    return text if path is None else str(path)


def _absolute_import(text: str, base: Path) -> str:
    """``module.Name`` of a module in the grid's folder, or ``FOLDER/module.Name``, with its folder in front."""
    try:
        folder, module, attribute = split(text)
    except PluginError:
        return text  # the name of a preset
    place = (base / folder).resolve() if folder is not None else folder_of(module, base.resolve())
    return text if place is None else f"{place}/{module}.{attribute}"


def _path(text: str, base: Path | None = None) -> Path | None:
    """The file or folder that a text names, seen from ``base`` or the working directory, if there is one."""
    if not text or len(text) > 4096 or text in (".", ".."):
        return None
    try:
        path = ((base or Path.cwd()) / Path(text).expanduser()).resolve()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # text that is no path: too long, a NUL in it, the home of nobody
        return None


def content_of(path: Path) -> str:
    """sha256 of a file, or of the names and contents of all files below a folder. Raises PluginError."""
    try:
        if path.is_file():
            return sha256(path)
        files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return digest([[p.relative_to(path).as_posix(), sha256(p)] for p in files])
    except OSError as error:
        raise PluginError(f"{path} cannot be read: {error.strerror or error}") from error
