"""What ``tune:`` may try: from ranges to a list of candidates within a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.errors import SettingError, did_you_mean
from bench.grid.variants import Variant
from bench.plugins.settings import resolve
from bench.seeds import generator


@dataclass(frozen=True)
class Tuning:
    """Candidates, each a mapping of the tuned settings; ``oracle``: chosen per test image with the truth at hand."""

    candidates: tuple[dict[str, Any], ...]
    oracle: bool = False


def tuning_of(variant: Variant, tune: Any, oracle: Any, budget: int) -> Tuning | None:
    """What an entry says about tuning, or None. ``tune: auto`` searches what the solver declares tunable."""
    if tune is None and oracle is None:
        return None
    if tune is not None and oracle is not None:
        raise SettingError("give either tune: (on the validation split) or oracle: (per test image), not both")
    axes = _axes(variant, tune if tune is not None else oracle)
    return Tuning(_within(budget, axes, variant), oracle=oracle is not None)


def _axes(variant: Variant, given: Any) -> dict[str, list[Any]]:
    declared = {n: s.tune for n, s in variant.plugin.parameters.items() if s.tune}
    if given in ("auto", True):
        if not declared:
            raise SettingError(f"{variant.plugin.name} declares nothing tunable: name the settings and their values")
        given = {n: None for n in declared if n not in variant.given}
    if not isinstance(given, Mapping) or not given:
        raise SettingError("tune: must be auto, or map settings to values such as {lam: {logspace: [1e-4, 1e-1, 7]}}")
    axes: dict[str, list[Any]] = {}
    for name, values in given.items():
        if name not in variant.plugin.parameters:
            known = did_you_mean(name, variant.plugin.parameters)
            raise SettingError(f"{variant.plugin.name} has no parameter {name!r} to tune. {known}")
        axes[name] = _values(name, declared.get(name) if values is None else values)
        if variant.plugin.parameters[name].annotation == "int":
            axes[name] = list(dict.fromkeys(round(v) if isinstance(v, float) else v for v in axes[name]))
        for value in axes[name]:
            resolve(variant.plugin, {**variant.settings, name: value})
    return axes


def _values(name: str, spec: Any) -> list[Any]:
    match spec:
        case list() if spec:
            return spec
        case {"logspace": [low, high, int(n)], **rest} if not rest and 0 < low < high and n > 1:
            return [_round(low * (high / low) ** (i / (n - 1))) for i in range(n)]
        case {"linspace": [low, high, int(n)], **rest} if not rest and low < high and n > 1:
            return [_round(low + (high - low) * i / (n - 1)) for i in range(n)]
        case {"low": low, "high": high, "n": n, "log": log}:
            return _values(name, {"logspace" if log else "linspace": [low, high, n]})
    raise SettingError(
        f"tune: {name} must be a list, {{logspace: [low, high, n]}} or {{linspace: [low, high, n]}} "
        f"with low < high (and 0 < low for logspace), got {spec!r}"
    )


def _round(x: float) -> float:
    """Six significant digits: the tenth root of ten is not worth sixteen in a table."""
    return float(f"{x:.6g}") if math.isfinite(x) else x


def _within(budget: int, axes: dict[str, list[Any]], variant: Variant) -> tuple[dict[str, Any], ...]:
    """The product of the axes; if it exceeds the budget, evenly spaced values of a single axis, ends included, or
    a seeded subset of the product of several.
    """
    every = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    if len(every) <= budget:
        return tuple(every)
    if len(axes) == 1:
        chosen = {round(i * (len(every) - 1) / max(budget - 1, 1)) for i in range(budget)}
    else:
        chosen = set(generator("tune", variant.plugin.name, axes).permutation(len(every))[:budget].tolist())
    return tuple(every[i] for i in sorted(chosen))
