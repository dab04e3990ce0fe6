"""Variance components against simulated ones, and against the analysis of variance."""

import numpy as np
import pytest

from bench.statistics.variance import variance_components

TRUE = {
    "photograph": 4.0, "kernel": 1.0, "solver": 0.25,
    "photograph × kernel": 0.36, "photograph × solver": 0.16, "kernel × solver": 0.09, "rest": 0.04,
}  # fmt: skip
SHAPE = {"photograph": 8, "kernel": 6, "solver": 5, "repetition": 2}


def simulated(rng):
    """Values and levels of a crossed experiment with the components above."""
    index = np.indices(tuple(SHAPE.values())).reshape(4, -1)
    factors = dict(zip(SHAPE, index, strict=True))
    factors.pop("repetition")
    values = 25 + np.sqrt(TRUE["rest"]) * rng.standard_normal(index.shape[1])
    for name, variance in TRUE.items():
        if name != "rest":
            parts = name.split(" × ")
            effect = np.sqrt(variance) * rng.standard_normal([SHAPE[p] for p in parts])
            values = values + effect[tuple(factors[p] for p in parts)]
    return values, factors


@pytest.mark.parametrize("missing", [0.0, 0.2], ids=["balanced", "a fifth of the cells missing"])
def test_components_are_estimated_without_bias(missing):
    rng = np.random.default_rng(0)
    runs = []
    for _ in range(200):
        values, factors = simulated(rng)
        values[rng.random(len(values)) < missing] = np.nan
        runs.append(variance_components(values, factors))
    for name, variance in TRUE.items():
        estimates = np.array([r[name] for r in runs])
        assert abs(estimates.mean() - variance) < 4 * estimates.std() / np.sqrt(len(runs)), name


def test_in_a_balanced_one_way_layout_it_is_the_analysis_of_variance():
    x = np.random.default_rng(1).normal(size=(6, 4)) + np.arange(6)[:, None]
    within = x.var(1, ddof=1).mean()
    between = 4 * x.mean(1).var(ddof=1)
    parts = variance_components(x.ravel(), {"photograph": np.repeat(np.arange(6), 4)})
    assert parts["rest"] == pytest.approx(within)
    assert parts["photograph"] == pytest.approx((between - within) / 4)


def test_kernels_of_their_own_cannot_be_told_from_photographs():
    photo = np.repeat(np.arange(6), 4)
    parts = variance_components(np.random.default_rng(2).normal(size=24), {"photograph": photo, "kernel": photo})
    assert np.isnan(parts["photograph"])
    assert np.isnan(parts["kernel"])
    assert np.isfinite(parts["photograph × kernel"])


def test_a_factor_of_one_level_is_left_out_and_nothing_has_no_components():
    parts = variance_components(np.arange(4.0), {"kernel": ["k"] * 4, "photograph": list("aabb")})
    assert "kernel" not in parts
    assert all(np.isnan(v) for v in variance_components(np.array([np.nan]), {"photograph": ["a"]}).values())
