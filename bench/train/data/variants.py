"""The variants of a list of grid entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bench import plugins
from bench.errors import SettingError
from bench.variants import Variant, expand


def variants(kind: Literal["operator", "noise"], entries: Sequence[Any]) -> list[tuple[Variant, int]]:
    """The variants of a list of grid entries, each with its number of PSFs. Raises SettingError, PluginError."""
    found = []
    for entry in entries:
        name, settings = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else (entry, {})
        if not isinstance(name, str) or not isinstance(settings, dict | None):
            raise SettingError(f"expected a name, or name: {{settings}}, got {entry!r}")
        given = dict(settings or {})
        psfs = given.pop("trajectories", 1)
        if not isinstance(psfs, int) or psfs < 1:
            raise SettingError(f"{name}: trajectories must be a whole number of at least 1, got {psfs!r}")
        found += [(v, psfs) for v in expand(plugins.find(kind, name), given)]
    if not found:
        raise SettingError(f"{kind}: at least one entry is needed")
    if kind == "operator" and any(v.plugin.flags.get("recorded") for v, _ in found):
        raise SettingError("the operator `recorded` synthesises nothing: take pairs from folders")
    return found
