"""One entry of a grid -> its variants: lists are a product, ``zip:`` pairs lists, the rest is the same in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

from bench.errors import SettingError
from bench.plugins.contents import from_folder
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin
from bench.plugins.settings import resolve


@dataclass(frozen=True)
class Variant:
    """A plug-in with all its settings.

    Attributes:
        base: the entry's id: what it was named, or the plug-in's label.
        id: unique within the grid: base, followed by the settings that vary.
        settings: complete, plain data.
        given: names of the settings that the grid states.
    """

    plugin: Plugin
    base: str
    id: str
    settings: dict[str, Any]
    given: frozenset[str]


def expand(plugin: Plugin, given: Mapping[str, Any], base: Path | None = None) -> list[Variant]:
    """All variants of one entry, in the order written; relative paths start from ``base``. Raises SettingError."""
    given = dict(given)
    ids = given.pop("id", None)
    zipped = _zipped(given)
    axes = {k: v for k, v in given.items() if _is_axis(plugin, k, v)}
    fixed = {k: v for k, v in given.items() if k not in axes}
    for name, values in axes.items():
        if not values:
            raise SettingError(parts=[(name, f"{plugin.kind} {plugin.name!r}: {name} is an empty list")])
    combos = [{**z, **dict(zip(axes, values, strict=True))} for z in zipped for values in product(*axes.values())]
    names = _ids(plugin, ids, combos)
    stem = ids if isinstance(ids, str) else None
    complete = [from_folder(plugin, {**fixed, **c}, base or Path.cwd()) for c in combos]
    return [
        Variant(plugin, stem or (n if ids else plugin.label), n, resolve(plugin, s), frozenset(s))
        for n, s in zip(names, complete, strict=True)
    ]


def _zipped(given: dict[str, Any]) -> list[dict[str, Any]]:
    zipped = given.pop("zip", None)
    if zipped is None:
        return [{}]
    if not isinstance(zipped, Mapping) or not zipped or not all(isinstance(v, list) and v for v in zipped.values()):
        raise SettingError(
            "zip: must map names to non-empty lists of equal length, as in zip: {lam: [1, 2], sigma: [3, 4]}"
        )
    lengths = {k: len(v) for k, v in zipped.items()}
    if len(set(lengths.values())) > 1:
        raise SettingError(f"zip: lists must have equal lengths, got {lengths}")
    if twice := sorted(set(zipped) & set(given)):
        raise SettingError(f"{', '.join(twice)} stands both inside and outside zip:")
    return [dict(zip(zipped, values, strict=True)) for values in zip(*zipped.values(), strict=True)]


def _is_axis(plugin: Plugin, name: str, value: Any) -> bool:
    if not isinstance(value, list):
        return False
    setting = plugin.parameters.get(name)
    if setting is not None and setting.annotation.startswith(("tuple", "list")):
        return any(isinstance(v, list) for v in value)  # a list of lists varies; a flat one is the value itself
    return True


def _ids(plugin: Plugin, ids: Any, combos: list[dict[str, Any]]) -> list[str]:
    if isinstance(ids, list):
        if len(ids) != len(combos) or len({str(i) for i in ids}) != len(ids):
            raise SettingError(f"id: must be {len(combos)} different names, one per combination, got {ids!r}")
        return [str(i) for i in ids]
    if ids is not None and not isinstance(ids, str):
        raise SettingError(f"id: must be a name or a list of names, got {ids!r}")
    base = ids or plugin.label
    if len(combos) == 1 and not ids:
        return [base]
    varying = [k for k in combos[0] if len({repr(c[k]) for c in combos}) > 1]
    return [" ".join([base, *(f"{k}={_short(c[k])}" for k in varying)]) for c in combos]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def variants(kind: Literal["operator", "noise"], entries: Sequence[Any]) -> list[tuple[Variant, int]]:
    """The variants of a list of grid entries, each with its number of PSFs. Raises SettingError, PluginError."""
    pairs = []
    for entry in entries:
        name, settings = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else (entry, {})
        if not isinstance(name, str) or not isinstance(settings, dict | None):
            raise SettingError(f"expected a name, or name: {{settings}}, got {entry!r}")
        given = dict(settings or {})
        psfs = given.pop("trajectories", 1)
        if not isinstance(psfs, int) or psfs < 1:
            raise SettingError(f"{name}: trajectories must be a whole number of at least 1, got {psfs!r}")
        pairs += [(v, psfs) for v in expand(find_plugin(kind, name), given)]
    if not pairs:
        raise SettingError(f"{kind}: at least one entry is needed")
    if kind == "operator" and any(v.plugin.flags.get("recorded") for v, _ in pairs):
        raise SettingError("the operator `recorded` synthesises nothing: take pairs from folders")
    return pairs
