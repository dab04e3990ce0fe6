"""What ``tune:`` and ``oracle:`` of an entry mean: the axes that are searched, and the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import SettingError, did_you_mean
from bench.grid.limits import is_number
from bench.grid.search import FEWEST, Axis, Range, Steps, Values, part_of_product, steps
from bench.grid.variants import Variant
from bench.plugins.contents import from_folder
from bench.plugins.describe import Parameter
from bench.plugins.settings import resolve


@dataclass(frozen=True)
class Tuning:
    """What is searched.

    Attributes:
        axes: by parameter.
        budget: candidates that may be tried.
        start: what the other axes have while the first one is searched.
        oracle: chosen per test image with the truth at hand.
    """

    axes: Mapping[str, Axis]
    budget: int
    start: Mapping[str, Any] = field(default_factory=dict[str, Any])
    oracle: bool = False

    def steps(self) -> Steps:
        """A search from its beginning."""
        return steps(self.axes, self.budget, self.start)

    @property
    def most(self) -> int:
        """Candidates that are tried at most: fewer than the budget only if lists are shorter."""
        lists = {name: axis.values for name, axis in self.axes.items() if isinstance(axis, Values)}
        return len(part_of_product(lists, self.budget)) if len(lists) == len(self.axes) else self.budget

    def is_bound(self, name: str, value: Any) -> bool:
        """Whether the parameter allows nothing beyond this value: no search could have gone on."""
        axis = self.axes[name]
        return isinstance(axis, Range) and value in (axis.least, axis.most)


def tuning_of(variant: Variant, tune: Any, oracle: Any, budget: int, base: Path | None = None) -> Tuning | None:
    """What an entry says about tuning, or None. ``auto`` searches what the solver declares tunable.

    Relative paths among the values start from ``base``. Raises SettingError.
    """
    if tune is None and oracle is None:
        return None
    if tune is not None and oracle is not None:
        raise SettingError("give either tune: (on the validation split) or oracle: (per test image), not both")
    axes = _axes(variant, tune if tune is not None else oracle, base or Path.cwd())
    if any(isinstance(a, Range) for a in axes.values()) and budget < FEWEST * len(axes):
        raise SettingError(f"a search needs a budget of {FEWEST} for each parameter, and tune.budget is {budget}")
    return Tuning(axes, budget, variant.settings, oracle=oracle is not None)


def _axes(variant: Variant, given: Any, base: Path) -> dict[str, Axis]:
    plugin = variant.plugin
    if given in ("auto", True):
        given = {n: "auto" for n, p in plugin.parameters.items() if p.tune and n not in variant.given}
        if not given:
            raise SettingError(f"{plugin.name} declares nothing tunable: name the settings and their values")
    if not isinstance(given, Mapping) or not given:
        raise SettingError("tune: must be auto, or map settings to values such as {lam: {log: [1e-4, 1e-1]}}")
    axes: dict[str, Axis] = {}
    for name, spec in given.items():
        if name not in plugin.parameters:
            known = did_you_mean(name, plugin.parameters)
            raise SettingError(f"{plugin.name} has no parameter {name!r} to tune. {known}")
        axes[name] = axis = _axis(plugin.parameters[name], spec)
        if isinstance(axis, Values):
            values = [from_folder(plugin, {name: v}, base)[name] for v in axis.values]
            axes[name] = axis = Values(tuple(values))
        for value in axis.values if isinstance(axis, Values) else (axis.low, axis.high):
            resolve(plugin, {**variant.settings, name: value})
    return axes


def _axis(parameter: Parameter, spec: Any) -> Axis:
    whole, declared = parameter.annotation == "int", parameter.tune or {}
    match spec:
        case None | "auto" if declared:
            return _range(parameter, declared["low"], declared["high"], log=declared["log"])
        case list() if spec:
            return Values(tuple(spec))
        case {"log": [low, high], **rest} if not rest and _increasing(low, high) and low > -whole:
            return _range(parameter, low, high, log=True)
        case {"linear": [low, high], **rest} if not rest and _increasing(low, high):
            return _range(parameter, low, high, log=False)
        case {"logspace": [low, high, int(n)], **rest} if not rest and 0 < low < high and n > 1:
            return _values([low * (high / low) ** (i / (n - 1)) for i in range(n)], whole)
        case {"linspace": [low, high, int(n)], **rest} if not rest and low < high and n > 1:
            return _values([low + (high - low) * i / (n - 1) for i in range(n)], whole)
    raise SettingError(
        f"tune: {parameter.name} must be a list of values; {{log: [low, high]}} or {{linear: [low, high]}} for a "
        "search; or {logspace: [low, high, n]} or {linspace: [low, high, n]} for exactly those n values; with "
        f"low < high (and 0 < low for logarithms), got {spec!r}"
    )


def _increasing(low: Any, high: Any) -> bool:
    return is_number(low) and is_number(high) and low < high


def _range(parameter: Parameter, low: float, high: float, *, log: bool) -> Range:
    declared, whole = parameter.tune or {}, parameter.annotation == "int"
    least, most = declared.get("least"), declared.get("most")
    if least is None:
        least = 1.0 if whole and log else -math.inf  # of numbers of steps; a parameter that may be 0 declares it
    most = math.inf if most is None else most
    if low < least or high > most:
        raise SettingError(f"tune: {parameter.name} lies between {least:g} and {most:g}, got {low:g} to {high:g}")
    return Range(low, high, log=log, whole=whole, least=least, most=most)


def _values(values: list[float], whole: bool) -> Values:
    """Six significant digits: the tenth root of ten is not worth sixteen in a table."""
    return Values(tuple(dict.fromkeys(round(v) if whole else float(f"{v:.6g}") for v in values)))
