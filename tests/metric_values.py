"""Metrics by the names that a grid has for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.contracts import Context
from bench.grid.metrics import measures_of
from bench.running.score import columns_of
from bench.scoring.evaluate import Column, evaluate


def columns(names: Iterable[str]) -> list[Column]:
    """Metrics with their default settings."""
    return columns_of([m for name in names for m in measures_of(name, {}, Path.cwd())])


def values(
    names: Iterable[str], truth: np.ndarray | None, estimate: np.ndarray, context: Context
) -> dict[str, float | None]:
    """``evaluate`` by names."""
    return evaluate(columns(names), truth, estimate, context)
