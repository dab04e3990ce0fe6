"""An estimate becomes numbers: the protocol that every metric shares, and what it makes of several samples.

In every cell's key; what a single metric computes is in the keys of the cells that ask for it. Importing this module
imports neither torch, scipy nor scikit-image.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.contracts import Context, Metric
from bench.errors import BenchError, PluginError, SettingError, line_of, message_of

if TYPE_CHECKING:
    import numpy as np  # by its arrays' methods alone


class Column(NamedTuple):
    """A column of the results: a metric, and whether it is taken of the mean of the samples."""

    name: str
    metric: Metric
    of_mean: bool = False


def evaluate(
    columns: Iterable[Column], truth: np.ndarray | None, estimate: np.ndarray, context: Context
) -> dict[str, float | None]:
    """The metrics of one estimate.

    Args:
        columns: what is measured, and its names.
        truth: float64 (C, H, W), full frame; None where nobody has the sharp picture.
        estimate: the same shape, or K samples (K, C, H, W), full frame and not clipped: ``prepare`` is applied here.
        context: measurement, PSF, noise level and protocol.

    Returns:
        A value per name: NaN where the metric is undefined on this image, None where it cannot be had on this
        machine (LPIPS without weights) or on this image (without a sharp picture). The reason is logged once per
        process.

    Raises PluginError where a metric fails or returns no number, SettingError where the border leaves nothing.
    """
    frame = context.y if truth is None else truth
    samples = estimate if estimate.ndim > frame.ndim else estimate[None]
    if frame.shape != samples.shape[1:]:
        raise ValueError(f"truth is {frame.shape}, the estimate {estimate.shape}")
    return {c.name: _evaluate(c, truth, samples, context) for c in columns}


def prepare(truth: np.ndarray, estimate: np.ndarray, border: int, clip: bool) -> tuple[np.ndarray, np.ndarray]:
    """The protocol: clip the estimate to [0, 1] if asked, then drop ``border`` pixels on every side of both.

    Raises SettingError if the border leaves nothing.
    """
    H, W = truth.shape[-2:]
    if not 0 <= border < (min(H, W) + 1) // 2:
        raise SettingError(
            f"border: {border} leaves nothing of an image of {H} x {W} pixels. Allowed: 0 to {(min(H, W) - 1) // 2}."
        )
    if clip:
        estimate = estimate.clip(0.0, 1.0)
    inside = (..., slice(border, H - border), slice(border, W - border))
    return truth[inside], estimate[inside]


def _evaluate(column: Column, truth: np.ndarray | None, samples: np.ndarray, context: Context) -> float | None:
    metric = column.metric
    if truth is None:
        if metric.needs_truth:
            return None
        truth = context.y  # a stand-in of the same shape: the metric does not look at it
    given = samples.mean(0)[None] if column.of_mean else samples
    if metric.frame != "whole":
        truth, given = prepare(truth, given, context.border, context.clip and metric.frame == "clipped")
    if not _takes(column.name, metric, truth):
        return float("nan")
    if metric.of == "samples":
        return _measured(column, truth, given, context)
    values = [_measured(column, truth, x, context) for x in given]
    return None if None in values else sum(v for v in values if v is not None) / len(values)


def _takes(name: str, metric: Metric, image: np.ndarray) -> bool:
    """Whether the metric is defined on pictures of this size and number of channels; if not, the log says so once."""
    C, H, W = image.shape
    if C not in metric.channels:
        log_once(f"{name} takes pictures of {' or '.join(map(str, metric.channels))} channels, not of {C}: NaN")
        return False
    if min(H, W) < metric.smallest:
        least = metric.smallest
        log_once(f"{name} needs at least {least} x {least} pixels, the cropped images are {H} x {W}: NaN")
        return False
    return True


def _measured(column: Column, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
    try:
        value: Any = column.metric.measure(truth, estimate, context)
        return None if value is None else float(value)
    except (BenchError, MemoryError):
        raise
    except Exception as error:
        file = Path(getattr(sys.modules.get(type(column.metric).__module__), "__file__", None) or "?")
        why = f"{type(error).__name__}: {message_of(error)}"
        raise PluginError(f"metric {column.name!r} failed: {line_of(error, file)}: {why}") from error


_logged: set[str] = set()


def log_once(text: str) -> None:
    """Warn, once per process."""
    if text not in _logged:
        _logged.add(text)
        logging.getLogger(__name__).warning(text)
