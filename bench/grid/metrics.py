"""``metrics:`` of a grid -> measures: the columns that results get, each with its metric."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import PluginError, SettingError, did_you_mean
from bench.grid.cells import Measure, Ref
from bench.grid.variants import Variant, expand
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin, plugin_names
from bench.scoring import registry

#: what is measured on several samples whatever a grid asks for
OF_SAMPLES = ("crps", "coverage_50", "coverage_90")
EXTRAPOLATED = "_extrapolated"
#: endings of names by which reports find the forms of a metric
RESERVED = (registry.OF_MEAN, EXTRAPOLATED, registry.EXPECTED, "_sample")


def measures_of(name: str, given: Mapping[str, Any], base: Path) -> list[Measure]:
    """The columns that an entry asks for, in the order written; what they are is learnt by ``registry``.

    Args:
        name: of a metric, of one with settings (``lpips_vgg``), of a form (``psnr_mean``), or a path ending in .py.
        given: its settings, and ``id``: the name of the column.
        base: the folder that relative paths start from.

    Raises SettingError, PluginError.
    """
    plugin, settings, of_mean = _looked_up(name, base)
    variants = expand(plugin, {**settings, **given}, base)
    varying = [n for n in plugin.parameters if len({repr(v.settings[n]) for v in variants}) > 1]
    measures = []
    for v in variants:
        info = _info(plugin, v, given.get("id"), varying)
        registry.learn([info, *([info.mean_form()] if registry.has_mean(info) else [])])
        column = f"{info.name}{registry.OF_MEAN}" if of_mean else info.name
        measures.append(Measure(column, Ref.of(plugin, v.settings), of_mean))
    return measures


def _looked_up(name: str, base: Path) -> tuple[Plugin, dict[str, Any], bool]:
    """A metric, settings that its short name stands for, and whether the name asks for that of the mean."""
    if name.endswith(".py") or "/" in name:
        return find_plugin("metric", name, base), {}, False
    for stem, of_mean in ((name, False), (name.removesuffix(registry.OF_MEAN), True)):
        if stem in registry.presets() and (stem if not of_mean else name) in registry.built_in():
            plugin, settings = registry.presets()[stem]
            defaults = {n: p.default for n, p in plugin.parameters.items() if not p.required}
            return plugin, {n: v for n, v in settings.items() if n not in defaults or defaults[n] != v}, of_mean
    names = plugin_names("metric")
    if name not in names:
        allowed = did_you_mean(name[:100], {*registry.built_in(), *names})
        raise PluginError(f"no metric is called {name[:100]!r}. {allowed} A path ends in .py.")
    return find_plugin("metric", name), {}, False


def _info(plugin: Plugin, variant: Variant, given: Any, varying: Sequence[str]) -> registry.MetricInfo:
    """What is known of a variant under its name. Raises SettingError where the name is no good."""
    telling = _telling(plugin, variant)
    if given is None and (short := _preset(plugin, variant.settings)) is not None:
        return registry.info_of(plugin, short, variant.settings)
    if isinstance(given, list):
        name = label = variant.id
    else:
        values = [_short(variant.settings[n]) for n in (telling if given is None else varying)]
        name = "_".join([plugin.label if given is None else given, *values])
        stated = plugin.flags.get("label") if given is None else None
        label = " ".join([stated, *values]) if isinstance(stated, str) else name
    _require_name(plugin, name)
    info = registry.info_of(plugin, name, variant.settings)
    settings = ", ".join(f"{n} = {variant.settings[n]!r}" for n in telling)
    return replace(
        info, label=label, definition=f"{info.definition} Settings: {settings}." if settings else info.definition
    )


def _preset(plugin: Plugin, settings: Mapping[str, Any]) -> str | None:
    """The short name of a built-in metric with these settings, files that they name aside."""
    for name, (of, preset) in registry.presets().items():
        if of == plugin and all(settings[n] == v for n, v in preset.items() if not _names_file(settings[n])):
            return name
    return None


def _telling(plugin: Plugin, variant: Variant) -> list[str]:
    """Parameters whose values go into the name: those that are not as ever, but for files and the direction."""
    own = [n for n, p in plugin.parameters.items() if p.required or variant.settings[n] != p.default]
    return [n for n in own if n != plugin.flags.get("better") and not _names_file(variant.settings[n])]


def _names_file(value: Any) -> bool:
    return isinstance(value, str) and "/" in value


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^\w.-]+", "-", text).strip("-") or "none"


def _require_name(plugin: Plugin, name: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name) or len(name) > 80:
        raise SettingError(
            parts=[("id", f"a metric is called by letters, digits, '_', '.' and '-', got {name[:100]!r}")]
        )
    if name in registry.built_in():
        text = f"{name} is the name of a built-in metric, and {plugin.name} is another: give it an id"
        raise SettingError(parts=[("id", text)])
    if name.endswith(RESERVED):
        text = f"a metric's name cannot end in {', '.join(RESERVED)}, got {name!r}: give it an id"
        raise SettingError(parts=[("id", text)])


def with_expected(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Those measures, and beside each the value that theory expects of it, where there is a metric of that."""
    others = [n for m in measures if (n := m.name + registry.EXPECTED) in registry.built_in()]
    together = [Measure(n, Ref.of(*registry.presets()[n])) for n in others]
    return tuple({m.name: m for m in [*measures, *together]}.values())


def with_samples(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Those measures, and what several samples allow besides: the same of their mean, of the mean of infinitely many
    samples where that can be had, CRPS and coverage.
    """
    judged = [m for m in measures if registry.has_mean(registry.describe(m.name)) and not m.of_mean]
    means = [Measure(m.name + registry.OF_MEAN, m.metric, True) for m in judged]
    others = [n for m in measures if (n := m.name + EXTRAPOLATED) in registry.built_in()]
    together = [Measure(n, Ref.of(*registry.presets()[n])) for n in (*others, *OF_SAMPLES)]
    return tuple({m.name: m for m in [*measures, *means, *together]}.values())
