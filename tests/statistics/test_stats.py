"""Statistics against closed forms, printed tables and seeded simulation."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.statistics.multiplicity import holm
from bench.statistics.paired import clustered_mean, paired_difference, rank_ranges, t_quantile


def test_with_one_cell_per_cluster_the_interval_is_the_textbook_t_interval():
    values = np.random.default_rng(1).normal(30, 2, size=12)
    mean, half = clustered_mean(values, range(12))
    low, high = scipy_stats.t.interval(0.95, 11, values.mean(), scipy_stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-12)


def test_t_quantiles_are_those_of_printed_tables():
    assert [round(t_quantile(0.975, df), 3) for df in (1, 4, 30)] == [12.706, 2.776, 2.042]


def test_repeating_every_cell_of_an_image_narrows_nothing():
    values = np.array([1.0, 2.0, 4.0])
    once = clustered_mean(values, ["a", "b", "c"])
    assert clustered_mean(np.repeat(values, 50), np.repeat(["a", "b", "c"], 50)) == pytest.approx(once)


def test_clusters_weigh_alike_however_many_cells_they_have():
    mean, _ = clustered_mean(np.array([0.0, 0.0, 0.0, 1.0]), ["a", "a", "a", "b"])
    assert mean == 0.5


def test_one_cluster_has_a_mean_and_no_interval():
    mean, half = clustered_mean(np.array([1.0, 3.0]), ["a", "a"])
    assert mean == 2
    assert np.isnan(half)


def test_missing_values_are_left_out_and_nothing_at_all_gives_nan():
    assert clustered_mean(np.array([1.0, np.nan, 3.0]), ["a", "a", "b"])[0] == 2
    assert np.isnan(clustered_mean(np.array([np.nan]), ["a"])).all()


def test_an_infinite_psnr_makes_the_mean_infinite_and_the_interval_undefined():
    mean, half = clustered_mean(np.array([np.inf, 30.0]), ["a", "b"])
    assert np.isinf(mean)
    assert np.isnan(half)


def test_the_clustered_interval_covers_as_often_as_it_says_where_the_iid_interval_does_not():
    rng = np.random.default_rng(0)
    images, cells, trials = 8, 10, 600
    clusters = np.repeat(np.arange(images), cells)
    hits = iid_hits = 0
    for _ in range(trials):
        values = (rng.normal(size=images)[:, None] + 0.3 * rng.normal(size=(images, cells))).ravel()
        mean, half = clustered_mean(values, clusters)
        hits += abs(mean) <= half
        iid_hits += abs(mean) <= 1.99 * scipy_stats.sem(values)
    assert 0.93 <= hits / trials <= 0.97
    assert iid_hits / trials < 0.6


def test_the_paired_difference_is_scipys_paired_t_test_on_image_means():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 10, 4))
    found = paired_difference(a.ravel(), b.ravel(), np.repeat(np.arange(10), 4))
    expected = scipy_stats.ttest_rel(a.mean(1), b.mean(1))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-10)
    low, high = expected.confidence_interval()
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))
    assert found.n == 10


def test_swapping_the_pair_flips_the_sign_and_keeps_the_p_value():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 9))
    one, other = paired_difference(a, b, range(9)), paired_difference(b, a, range(9))
    assert (one.mean, one.half_width, one.p) == pytest.approx((-other.mean, other.half_width, other.p))


def test_a_pair_with_one_failed_half_does_not_count():
    found = paired_difference(np.array([1.0, np.nan, 5.0]), np.array([0.0, 0.0, 4.0]), ["a", "b", "c"])
    assert (found.mean, found.n) == (1, 2)


def test_identical_solvers_differ_by_zero_with_p_one_and_constant_shifts_have_p_zero():
    a = np.array([1.0, 2.0, 3.0])
    assert paired_difference(a, a, range(3)).p == 1
    assert paired_difference(a + 1, a, range(3)).p == 0


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


def solvers_on_images(effects, images=12, cells=5, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 3, size=(1, images, cells))
    own = rng.normal(0, noise, size=(len(effects), images, 1))
    values = np.asarray(effects)[:, None, None] + difficulty + own
    return values.reshape(len(effects), -1), np.repeat(np.arange(images), cells)


def test_clearly_different_solvers_get_one_rank_each():
    loss, images = solvers_on_images([0, 1, 2, 3])
    assert rank_ranges(loss, images) == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_solvers_that_the_images_cannot_separate_share_their_ranks():
    loss, images = solvers_on_images([0, 0.001, 5])
    assert rank_ranges(loss, images) == [(1, 2), (1, 2), (3, 3)]


def test_one_image_separates_nobody():
    loss, images = solvers_on_images([0, 1, 2], images=1)
    assert rank_ranges(loss, images) == [(1, 3)] * 3


def test_more_images_never_widen_the_ranges_of_clearly_ordered_solvers():
    widths = []
    for n in (2, 4, 16):
        loss, images = solvers_on_images([0, 0.5, 1], images=n, noise=0.15)
        widths.append(sum(r[1] - r[0] for r in rank_ranges(loss, images) if r))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0 < widths[0]


def test_identical_solvers_are_tied():
    loss, images = solvers_on_images([0, 3])
    assert rank_ranges(np.stack([loss[0], loss[0], loss[1]]), images) == [(1, 2), (1, 2), (3, 3)]


def test_rank_ranges_are_reproducible():
    loss, images = solvers_on_images([0, 0.05, 0.1, 0.15])
    assert rank_ranges(loss, images) == rank_ranges(loss, images)


def test_a_solver_that_fails_on_hard_images_is_charged_the_blurred_input():
    loss, images = solvers_on_images([0, 1])
    blurred = loss.max(0) + 20
    failing = loss.copy()
    failing[0, :30] = np.nan
    assert rank_ranges(failing, images, fill=blurred) != [(1, 1), (2, 2)]
    assert rank_ranges(failing, images) == [(1, 1), (2, 2)]


def test_a_solver_without_any_value_has_no_rank_and_costs_nobody_a_place():
    loss, images = solvers_on_images([0, 1])
    nothing = np.full((1, loss.shape[1]), np.nan)
    assert rank_ranges(np.concatenate([nothing, loss]), images) == [None, (1, 1), (2, 2)]


def test_equal_solvers_are_rarely_separated():
    wrong = 0
    for seed in range(60):
        loss, images = solvers_on_images([0, 0, 0, 0], images=6, seed=seed)
        wrong += rank_ranges(loss, images, resamples=400) != [(1, 4)] * 4
    assert wrong / 60 <= 0.12
