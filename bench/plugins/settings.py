"""Settings of plug-ins: from what a grid says to complete, typed, plain data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from bench.errors import PluginError, SettingError, did_you_mean
from bench.plugins.describe import Plugin

_NAMESPACE = {"Literal": Literal, "Any": Any}


@cache
def _model(plugin: Plugin) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for s in plugin.parameters.values():
        fields[s.name] = (s.annotation, Field() if s.required else Field(default=s.default))
    model = create_model(plugin.class_name, __config__=ConfigDict(extra="forbid", allow_inf_nan=True), **fields)
    try:
        model.model_rebuild(_types_namespace=_NAMESPACE)
    except NameError as error:
        raise PluginError(
            f"{plugin.path}: {error}. Settings may be int, float, str, bool, Literal, tuple, list, dict or None"
        ) from error
    return model


def resolve(plugin: Plugin, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of the plug-in with its value: types checked and converted, defaults filled in, plain data.

    Raises SettingError that names the plug-in, the setting, what is allowed, and guesses what was meant.
    """
    title = f"{plugin.kind} {plugin.name!r}"
    for name in given:
        if name not in plugin.parameters:
            raise SettingError(f"{title} has no setting {name!r}. {did_you_mean(name, plugin.parameters)}")
    try:
        return _model(plugin).model_validate(dict(given)).model_dump(mode="python")
    except ValidationError as error:
        raise SettingError(f"{title}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """A pydantic error in one line per problem: name, what is wrong, what was given."""
    parts = []
    for e in error.errors():
        name = ".".join(str(x) for x in e["loc"])
        given = "" if e["type"] == "missing" else f", got {e['input']!r}"
        parts.append(f"{name}: {e['msg'][0].lower() + e['msg'][1:]}{given}")
    return "; ".join(parts)


def build(plugin: Plugin, cls: type, settings: Mapping[str, Any]) -> Any:
    """An instance of the plug-in's class with these settings."""
    values = resolve(plugin, settings)
    try:
        return cls(**values)
    except TypeError as error:
        raise PluginError(
            f"{plugin.path}: {plugin.class_name} is not a dataclass of its settings: {error}"
        ) from error
