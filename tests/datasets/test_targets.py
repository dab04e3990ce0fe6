"""Drawn lines and bars."""

from __future__ import annotations

import numpy as np

from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.testing import check_dataset


def scene(**settings: object) -> np.ndarray:
    plugin = find_plugin("dataset", "targets")
    return build(plugin, load_plugin(plugin), settings).load("target_000").scene[0]


def test_it_keeps_the_contract_of_a_dataset() -> None:
    check_dataset("targets", {"size": 48, "limit": 2})


def test_a_target_is_piecewise_constant_with_high_contrast() -> None:
    x = scene(size=96, margin=8)
    assert x.shape == (112, 112)
    assert set(np.unique(x).round(3)) <= {0.05, 0.35, 0.6, 0.85, 0.95}
    assert np.mean(np.diff(x, axis=1) != 0) < 0.2
    assert x.max() - x.min() > 0.89


def test_splits_and_seeds_have_targets_of_their_own() -> None:
    first = scene(size=64)
    assert np.array_equal(first, scene(size=64))
    assert not np.array_equal(first, scene(size=64, split="val"))
    assert not np.array_equal(first, scene(size=64, seed=1))
