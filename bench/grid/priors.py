"""``prior:`` of a grid or of a solver in it -> variants of priors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import PluginError, SettingError, did_you_mean
from bench.files import shipped_files
from bench.grid.variants import Variant, expand
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin, plugin_names

#: What a solver uses where the grid names no prior.
DEFAULT = "photos"
#: The prior of networks that ``bench train`` made: names of weights stand for it.
TRAINED = "trained"


def prior_variants(given: Any, base: Path) -> list[Variant]:
    """The variants of an entry ``prior:``, in the order written.

    Args:
        given: a name, ``{name: {settings}}``, or a list of such. A name is that of a prior, of shipped weights, or a
            path: of a plug-in (.py) or of weights trained here (.safetensors).
        base: the folder that relative paths start from.

    Raises SettingError, PluginError.
    """
    items = given if isinstance(given, list) else [given]
    if not items:
        raise SettingError("prior: is an empty list")
    variants = [v for item in items for v in _variants(item, base)]
    ids = [v.id for v in variants]
    if twice := [i for n, i in enumerate(ids) if i in ids[:n]]:
        raise SettingError(f"prior: has two entries called {twice[0]!r}: give one of them an id")
    return variants


def _variants(item: Any, base: Path) -> list[Variant]:
    name, settings = next(iter(item.items())) if isinstance(item, dict) and len(item) == 1 else (item, {})
    if not isinstance(name, str) or not isinstance(settings, dict | None):
        raise SettingError(f"prior: expected a name, or name: {{settings}}, or a list of such, got {item!r}"[:300])
    name, settings = _named(name, dict(settings or {}))
    if name == TRAINED and isinstance(weights := settings.get("weights"), str):
        settings = {"id": Path(weights).stem, **settings}
    return expand(_plugin(name, base), settings, base)


def _named(name: str, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Names of weights are short for {trained: {weights: NAME}}."""
    weights = name.endswith(".safetensors") or (name not in plugin_names("prior") and name in _weights())
    return (TRAINED, {"weights": name, **settings}) if weights else (name, settings)


def _plugin(name: str, base: Path) -> Plugin:
    if not name.endswith(".py") and "/" not in name and name not in (names := plugin_names("prior")):
        allowed = did_you_mean(name, [*names, *_weights()])
        raise PluginError(f"no prior is called {name!r}. {allowed} A path ends in .py, or .safetensors for weights.")
    return find_plugin("prior", name, base)


def _weights() -> list[str]:
    """The shipped weights that are a prior, by their cards."""
    files = shipped_files("weights", ".json")
    return [n for n, f in files.items() if json.loads(f.read_text(encoding="utf-8")).get("kind", "prior") == "prior"]


def refuse_weights(plugin: Plugin, settings: Mapping[str, Any]) -> None:
    """Raise SettingError with the spelling of today where a solver that needs a prior is given ``weights:``."""
    if "weights" in settings and "weights" not in plugin.parameters:
        given = settings["weights"]
        now = given if isinstance(given, str) else "NAME"
        text = f"{plugin.name}: weights of a prior are named by prior: now, here or for all solvers: prior: {now}"
        raise SettingError(parts=[("weights", text)])
