"""What every metric must keep; ``bench.testing`` is the public door to these checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts import Context, Metric, NoiseLevel
from bench.imaging.measure import blur_circular
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build, resolve
from bench.scoring import registry
from bench.scoring.evaluate import Column, evaluate
from bench.scoring.registry import MetricInfo, info_of

#: standard deviations that are added to the truth, from none to more than any estimate has
LEVELS = (0.0, 0.02, 0.06, 0.2)
SIGMA = 0.05  #: of the measurement, and of posterior samples around their mean
SAMPLES = 6


def check_metric(
    name: str, settings: Mapping[str, Any] | None = None, *, base: Path | None = None, size: int = 64
) -> None:
    """Check a metric: the truth is best, more noise is worse, values lie in its range and depend on nothing else.

    One of samples is judged on draws around a mean that the truth is drawn around too, and that moves away from it.

    Args:
        name: a built-in name or a path to a file.
        settings: its parameters; defaults otherwise.
        base: the folder that a relative path starts from.
        size: side of the test pictures in pixels, large enough for the metric to be defined.
    """
    plugin = find_plugin("metric", name, base)
    assert plugin.summary, f"{name}: its class has no docstring for reports to define it by"
    given = resolve(plugin, settings or {})
    info, metric = info_of(plugin, plugin.label, given), _built(plugin, given)
    assert set(metric.channels) <= {1, 3}, f"{name}: channels are 1, 3 or both, got {metric.channels}"
    for channels in metric.channels:
        x = _picture(channels, size, size + 5)
        series = [_value(metric, x, e) for e in _worse_and_worse(metric, x)]
        _check_values(name, info, series, f"{channels} channels of {size} x {size + 5} pixels")
        if metric.needs_truth or not info.ranks:
            _check_order(name, info, series)
        _check_alone(name, plugin, given, x)
    _check_small(metric)


def _built(plugin: Plugin, settings: Mapping[str, Any]) -> Metric:
    metric = build(plugin, load_plugin(plugin), settings)
    assert isinstance(metric, Metric)
    return metric


def _picture(channels: int, H: int, W: int, seed: int = 0) -> np.ndarray:
    """Boxes, a ramp and a texture, (channels, H, W) in [0.2, 0.8], no two channels alike."""
    rng = np.random.default_rng([seed, H])
    v, u = np.mgrid[:H, :W] / max(H, W)
    x = 0.35 + 0.2 * u + 0.05 * np.sin(40 * u * (1 + v))
    for a, b, level in rng.uniform(0.1, 0.7, (6, 3)):
        x[(abs(v - a) < 0.1) & (abs(u - b) < 0.15)] = 0.2 + 0.8 * level
    return np.stack([x.clip(0.2, 0.8) ** g for g in (1.0, 0.8, 1.1)[:channels]])


def _worse_and_worse(metric: Metric, x: np.ndarray) -> list[np.ndarray]:
    """Estimates of x, the first the best there is."""
    rng = np.random.default_rng(1)
    if metric.of == "picture":
        noise = rng.standard_normal(x.shape)
        return [x + s * noise for s in LEVELS]
    # The truth is one more draw around this mean, so that draws around it are samples of the posterior.
    mean = x + SIGMA * rng.standard_normal(x.shape)
    draws = mean + SIGMA * rng.standard_normal((SAMPLES, *x.shape))
    away = np.sign(mean - x)
    return [draws + shift * away for shift in LEVELS]


def _value(metric: Metric, x: np.ndarray, estimate: np.ndarray) -> float | None:
    return evaluate([Column("", metric)], x, estimate, _context(x))[""]


def _context(x: np.ndarray) -> Context:
    """A measurement of x."""
    psf = np.full((1, 1), 1.0) if min(x.shape[-2:]) < 3 else np.outer([1.0, 2.0, 1.0], [1.0, 1.0, 1.0]) / 12
    noise = SIGMA * np.random.default_rng(2).standard_normal(x.shape)
    return Context(blur_circular(x, psf) + noise, psf, NoiseLevel(0.0, SIGMA), "circular")


def _check_values(name: str, info: MetricInfo, series: list[float | None], what: str) -> None:
    for value in series:
        assert value is not None, f"{name}: no value on {what}: what it needs is not on this machine"
        assert not math.isnan(value), f"{name}: NaN on {what}"
        low, high = (-math.inf if info.low is None else info.low), (math.inf if info.high is None else info.high)
        slack = 1e-6 * max(1.0, abs(value)) if math.isfinite(value) else 0.0
        assert low - slack <= value <= high + slack, f"{name}: {value} on {what} is out of its range {low} to {high}"


def _check_order(name: str, info: MetricInfo, series: list[float | None]) -> None:
    """The truth is best, and noise makes it worse; of a check, that the first is nearest to its target.

    What theory expects of another metric may be the same for all samples.
    """
    losses = [float(info.loss(np.array(v))) for v in series]
    best = "the truth is not the best estimate" if info.of == "picture" else "samples around the truth are not best"
    assert min(losses) == losses[0], f"{name}: {best}: {_listed(series)}"
    assert losses[0] < losses[-1] or name.endswith(registry.EXPECTED), f"{name}: {best}: {_listed(series)}"
    worse = all(a <= b for a, b in pairwise(losses))
    assert worse or not info.ranks, f"{name}: more noise is not worse: {_listed(series)} at {LEVELS}"


def _listed(series: list[float | None]) -> str:
    return ", ".join(f"{v:.4g}" for v in series if v is not None)


def _check_alone(name: str, plugin: Plugin, settings: Mapping[str, Any], x: np.ndarray) -> None:
    """A value depends on its arguments alone: not on what was measured before, and it changes none of them."""
    metric, other = _built(plugin, settings), _picture(*x.shape, seed=5)
    estimate = _worse_and_worse(metric, x)[1]
    before, context = (x.copy(), estimate.copy()), _context(x)
    y = context.y.copy()
    first = metric.measure(x, estimate, context)
    _value(metric, other, _worse_and_worse(metric, other)[2])
    again, fresh = metric.measure(x, estimate, context), _built(plugin, settings).measure(x, estimate, context)
    same = np.array_equal(before[0], x) and np.array_equal(before[1], estimate) and np.array_equal(y, context.y)
    assert same, f"{name}: it changed the pictures that it was given"
    assert first == again == fresh, f"{name}: {first}, then {again} and {fresh} for the same pictures"
    if metric.needs_truth:
        return
    blind = metric.measure(1 - x, estimate, context)
    assert blind == first, f"{name}: needs_truth is False, and another truth gives {blind} for {first}"


def _check_small(metric: Metric) -> None:
    """On its smallest picture, and on one a pixel smaller, there may be no number; there must be no error."""
    for side in {metric.smallest, max(metric.smallest - 1, 1)}:
        x = _picture(metric.channels[0], side, side + 3)
        for estimate in _worse_and_worse(metric, x)[:2]:
            _value(metric, x, estimate)
