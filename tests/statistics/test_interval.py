"""The one interval of every table: what is left out, what weighs how, and what it may be called."""

import numpy as np
import pytest

from bench.statistics.interval import SURE, called, means, t_quantile


def one(values, groups, settings=None, kernels=None):
    """Mean, low and high of one row of values."""
    estimate = means(np.atleast_2d(values), settings or np.zeros(len(groups)), groups, kernels)
    low, high = estimate.interval()
    return float(estimate.mean[0]), float(low[0]), float(high[0])


def test_t_quantiles_are_those_of_printed_tables():
    assert [round(float(t_quantile(0.975, df)), 3) for df in (1, 4, 30)] == [12.706, 2.776, 2.042]


def test_repeating_every_cell_of_a_group_narrows_nothing():
    values = np.array([1.0, 2.0, 4.0, 4.5])
    assert one(np.repeat(values, 50), np.repeat(list("abcd"), 50)) == pytest.approx(one(values, list("abcd")))


def test_groups_weigh_alike_however_many_cells_they_have():
    assert one([0.0, 0.0, 0.0, 1.0], list("aaab"))[0] == 0.5


def test_two_groups_have_a_mean_and_no_interval():
    mean, low, high = one([1.0, 3.0, 2.0], list("aab"))
    assert mean == 2
    assert np.isnan([low, high]).all()


def test_one_shared_kernel_allows_no_interval_however_many_groups_there_are():
    values = np.random.default_rng(0).normal(size=30)
    assert np.isnan(one(values, range(30), kernels=["k"] * 30)[1])
    assert np.isfinite(one(values, range(30), kernels=[f"k{i % 6}" for i in range(30)])[1])


def test_missing_values_are_left_out_and_nothing_at_all_gives_nan():
    assert one([1.0, np.nan, 3.0], list("aab"))[0] == 2
    assert np.isnan(one([np.nan], ["a"])).all()


def test_an_infinite_psnr_makes_the_mean_infinite_and_the_interval_undefined():
    mean, low, high = one([np.inf, 30.0, 31.0, 29.0], list("abcd"))
    assert np.isinf(mean)
    assert np.isnan([low, high]).all()


def test_swapping_the_pair_mirrors_the_interval_and_leaves_the_p_value():
    a, b = np.random.default_rng(4).exponential(size=(2, 1, 9))
    there, back = (means(d, np.zeros(9), range(9)) for d in (a - b, b - a))
    assert there.p_value() == pytest.approx(back.p_value())
    assert np.ravel(there.interval()) == pytest.approx([-float(e[0]) for e in back.interval()[::-1]])


@pytest.mark.parametrize(
    ("groups", "kernels", "name"),
    [(SURE, None, "95 %"), (SURE - 1, None, "nominal 95 %"), (SURE, 5, "nominal 95 %"), (SURE, SURE, "95 %")],
)
def test_only_many_groups_and_kernels_make_an_interval_more_than_nominal(groups, kernels, name):
    assert called(groups, kernels) == name
