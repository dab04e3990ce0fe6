"""Adjusted p-values against worked examples, bounds and simulation."""

import numpy as np
import pytest

from bench.statistics.multiplicity import benjamini_hochberg, holm


def test_holm_gives_the_worked_values():
    # Step-down by hand: 4 x .005, 3 x .01, 2 x .03, 1 x .04 raised to its predecessor.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_ignores_missing_p_values():
    adjusted = holm([0.9, np.nan, 0.6])
    assert adjusted[[0, 2]] == pytest.approx([1, 1])
    assert np.isnan(adjusted[1])
    assert holm([]).shape == (0,)


def test_holm_keeps_the_familywise_error_below_its_level():
    rng = np.random.default_rng(5)
    false_alarms = sum(holm(rng.uniform(size=10)).min() < 0.05 for _ in range(4000))
    assert false_alarms / 4000 < 0.06


def test_benjamini_and_hochberg_gives_the_worked_values():
    # Step-up by hand: 4/4 x .04, 4/3 x .03, 4/2 x .01, 4 x .005, each lowered to the next.
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_benjamini_and_hochberg_keeps_the_share_of_false_discoveries_below_its_level():
    rng, shares = np.random.default_rng(6), []
    true = np.arange(10) < 5
    for _ in range(2000):
        p = np.where(true, rng.uniform(size=10) * 1e-3, rng.uniform(size=10))
        rejected = benjamini_hochberg(p) < 0.05
        shares.append((rejected & ~true).sum() / max(rejected.sum(), 1))
    assert np.mean(shares) < 0.05


def test_hypotheses_of_one_name_count_once():
    names = ["a", "a", "b", "c"]
    for adjust in (holm, benjamini_hochberg):
        assert adjust([0.01, 0.01, 0.03, 0.2], names)[[0, 2, 3]] == pytest.approx(adjust([0.01, 0.03, 0.2]))
