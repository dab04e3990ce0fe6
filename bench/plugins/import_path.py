"""Classes and functions named in a setting: ``package.module.Name``, or ``FOLDER/module.Name``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from bench.errors import PluginError


def import_object(name: str) -> Any:
    """What an import path means; a folder before the last slash is where its module lies.

    A plug-in that imports in this way names its parameter in ``imports: ClassVar[tuple[str, ...]]``, so that the
    module is in the keys of its cells. Raises PluginError when there is no such module or name, or when another
    module of the same name was imported before.
    """
    folder, module, attribute = split(name)
    if folder is not None:
        sees(folder)
    try:
        imported = importlib.import_module(module)
        value = getattr(imported, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginError(f"cannot import {name}: {error}") from error
    file = getattr(imported, "__file__", None)
    if folder is not None and file is not None and not Path(file).resolve().is_relative_to(folder.resolve()):
        raise PluginError(f"{name}: a module called {module} was imported from {file} before; rename one of the two")
    return value


def split(name: str) -> tuple[Path | None, str, str]:
    """``FOLDER/package.module.Name`` as folder (None where there is none), module and name."""
    folder, slash, dotted = name.rpartition("/")
    module, _, attribute = dotted.rpartition(".")
    if not module or not attribute:
        raise PluginError(f"{name!r} is no import path such as package.module.Name")
    return Path(folder).expanduser() if slash else None, module, attribute


#: Folders that ``sees`` added to ``sys.path``: what lies in them belongs to one plug-in, and not to all.
added: set[str] = set()


def sees(folder: Path) -> None:
    """Let modules in a folder be imported from now on, after all others."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        added.add(str(folder))
