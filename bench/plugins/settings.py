"""Values of a plug-in's parameters: from what a grid says to complete, typed, plain data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from bench.errors import BenchError, PluginError, SettingError, did_you_mean, line_of, message_of
from bench.plugins import patience
from bench.plugins.describe import Plugin

#: sizes, limits and counts of a plug-in; more is a slip, or would not end
MOST = 10_000_000
_AT_MOST = f"a whole number is at most {MOST:,}"

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
    known = plugin.parameters
    wrong: list[tuple[str | None, str]] = [
        (n, f"{title} has no parameter {n!r}. {did_you_mean(n, known)}") for n in given if n not in known
    ]
    try:
        model = _model(plugin).model_validate({n: v for n, v in given.items() if n in known})
    except ValidationError as error:
        wrong += [(str(e["loc"][0]), f"{title}: {_line(e)}") for e in error.errors()]
        raise SettingError(parts=wrong) from error
    values = model.model_dump(mode="python")
    wrong += [(n, f"{title}: {n}: {_AT_MOST}, got {v}") for n, v in values.items() if _too_large(n, v)]
    if wrong:
        raise SettingError(parts=wrong)
    return values


def _too_large(name: str, value: Any) -> bool:
    """Whether a whole number is one that nothing here can count to. Seeds are names, not counts."""
    return isinstance(value, int) and abs(value) > MOST and "seed" not in name


def describe(error: ValidationError) -> str:
    """A pydantic error in one line per problem: name, what is wrong, what was given."""
    return "; ".join(_line(e) for e in error.errors())


def _line(e: ErrorDetails) -> str:
    name = ".".join(str(x) for x in e["loc"])
    given = "" if e["type"] == "missing" else f", got {e['input']!r}"[:300]
    message = _AT_MOST if e["type"] == "int_parsing_size" else e["msg"][0].lower() + e["msg"][1:]
    return f"{name}: {message}{given}"


def build(plugin: Plugin, cls: type, settings: Mapping[str, Any]) -> Any:
    """An instance of the plug-in's class with these settings."""
    values = resolve(plugin, settings)
    try:
        with patience.limited(patience.LOADING, f"building {plugin.kind} {plugin.name!r} ({plugin.path})"):
            return cls(**values)
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        where, why = line_of(error, plugin.path), message_of(error)
        if isinstance(error, TypeError) and where == str(plugin.path):  # no line of the plug-in's was reached
            raise PluginError(f"{where}: {plugin.class_name} is not a dataclass of its parameters: {why}") from error
        raise PluginError(f"{where}: {plugin.class_name} cannot be built: {type(error).__name__}: {why}") from error
