"""Intervals that are called 95 % hold the truth in 93 to 97 % of independent experiments.

``benchmarks/evidence/interval_coverage.py`` has the whole table; here are its corners, small enough for every run.
"""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.statistics.clusters import Design, influences
from bench.statistics.interval import SURE, called, estimate, hall, inverse_hall, t_quantile
from bench.statistics.ranks import Rivals, compare_with_best, rank_ranges

TRIALS = 3000


def interval_covers(values, truth, settings, groups, kernels=None):
    """Share of the rows of ``values`` (trials, n) whose interval holds the truth."""
    low, high = estimate(influences(values, Design.of(settings, groups, kernels))).interval()
    return ((low <= truth) & (truth <= high)).mean()


@pytest.mark.parametrize("groups", [5, 10, 20, 40])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, n: rng.standard_normal(n), 0.0),
        (lambda rng, n: rng.standard_t(3, n), 0.0),
        (lambda rng, n: rng.exponential(size=n), 1.0),
        (lambda rng, n: -rng.exponential(size=n), -1.0),
        (lambda rng, n: rng.lognormal(0, 0.5, n), np.exp(0.125)),
    ],
    ids=["normal", "heavy tails", "skewed", "skewed downwards", "log-normal"],
)
def test_intervals_over_groups_cover_whatever_the_law(draw, truth, groups):
    x = draw(np.random.default_rng(groups), (TRIALS, groups))
    assert 0.925 <= interval_covers(x, truth, np.zeros(groups), np.arange(groups)) <= 0.977


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_rare_pictures_are_covered_where_an_interval_is_called_95_percent_and_not_with_half_as_many(share):
    """Most pictures differ by 0.3 dB, a few by 2 dB: what few samples hold none of, they cannot warn of."""

    def coverage(groups):
        rng = np.random.default_rng(groups)
        shape = (TRIALS, groups)
        rare = rng.random(shape) < share
        x = np.where(rare, rng.normal(2, 0.7, shape), rng.normal(0.3, 0.3, shape))
        return interval_covers(x, 0.3 + 1.7 * share, np.zeros(groups), np.arange(groups))

    assert 0.92 <= coverage(SURE) <= 0.98
    assert coverage(7) < 0.92
    assert (called(SURE), called(7)) == ("95 %", "nominal 95 %")


def test_students_interval_alone_would_not_cover_a_skewed_law():
    x = np.random.default_rng(0).exponential(size=(TRIALS, 7))
    half = t_quantile(0.975, 6) * x.std(1, ddof=1) / np.sqrt(7)
    assert (np.abs(x.mean(1) - 1) <= half).mean() < 0.91


@pytest.mark.parametrize("kernel", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("shape", [(14, 3), (40, 5), (8, 20)])
def test_intervals_over_kernels_that_groups_share_cover_where_groups_alone_do_not(shape, kernel):
    (G, K), rng = shape, np.random.default_rng(1)
    a, b = rng.standard_normal((TRIALS, G, 1)), kernel * rng.standard_normal((TRIALS, 1, K))
    x = (a + b + rng.standard_normal((TRIALS, G, K))).reshape(TRIALS, -1)
    settings, groups, kernels = np.zeros(G * K), np.repeat(np.arange(G), K), np.tile(np.arange(K), G)
    assert 0.935 <= interval_covers(x, 0, settings, groups, kernels) <= 0.98
    if kernel == 3:
        assert interval_covers(x, 0, settings, groups) < 0.8


def test_crops_of_a_photograph_are_one_cluster_also_where_cells_are_missing():
    rng, photographs = np.random.default_rng(2), 12
    crop = np.repeat(np.arange(2 * photographs), 3)
    x = np.repeat(rng.standard_normal((TRIALS, photographs)), 6, axis=1) + 0.5 * rng.standard_normal(
        (TRIALS, len(crop))
    )
    x[rng.random(x.shape) < 0.1] = np.nan
    settings = np.tile(np.arange(3), 2 * photographs)
    assert 0.935 <= interval_covers(x, 0, settings, crop // 2) <= 0.975
    assert interval_covers(x, 0, settings, crop) < 0.9


def test_without_skewness_the_interval_and_p_value_are_scipys():
    x = np.array([-3.0, -1.0, 0.5, 1.0, 2.5])  # skewness 0 about its mean, 0
    x = np.concatenate([x, -x]) + 0.7
    estimated = estimate(influences(x[None], Design.of(np.zeros(10), np.arange(10))))
    expected: Any = stats.ttest_1samp(x, 0)  # scipy's stubs know no field of it
    low, high = expected.confidence_interval()
    assert np.ravel(estimated.interval()) == pytest.approx([low, high])
    assert estimated.p_value()[0] == pytest.approx(expected.pvalue)


def test_the_skewness_of_a_mean_is_scipys_over_the_root_of_the_number():
    x = np.random.default_rng(3).exponential(size=(4, 11))
    estimated = estimate(influences(x, Design.of(np.zeros(11), np.arange(11))))
    assert estimated.skew == pytest.approx(stats.skew(x, axis=1, bias=False) / np.sqrt(11))


@pytest.mark.parametrize("delta", [-1.5, -0.3, 0.0, 0.3, 1.5])
def test_halls_transformation_is_inverted(delta):
    T = np.linspace(-8, 8, 33)
    assert inverse_hall(hall(T, np.full(33, delta)), np.full(33, delta)) == pytest.approx(T, abs=1e-6)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_a_p_value_is_small_exactly_when_zero_lies_outside(level):
    x = np.random.default_rng(4).exponential(size=(400, 8)) - 0.4
    estimated = estimate(influences(x, Design.of(np.zeros(8), np.arange(8))))
    low, high = estimated.interval(level)
    assert ((estimated.p_value() < 1 - level) == ((low > 0) | (high < 0))).all()


def test_identical_values_have_an_interval_of_no_width_and_p_values_of_one_or_zero():
    estimated = estimate(influences(np.array([[0.0] * 4, [2.0] * 4]), Design.of(np.zeros(4), np.arange(4))))
    assert np.ravel(estimated.interval()) == pytest.approx([0, 2, 0, 2])
    assert estimated.p_value().tolist() == [1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [5, 30])
def test_among_equal_rows_the_best_stays_a_candidate_and_rank_ranges_hold(rows):
    rng, tables, groups = np.random.default_rng(5), 300, 10
    design = Design.of(np.zeros(groups), np.arange(groups))
    covered = marginal = simultaneous = 0
    for _ in range(tables):
        rivals = Rivals(influences(rng.standard_normal((rows, groups)), design))
        best, ranges, all_ranges = (
            compare_with_best(rivals),
            rank_ranges(rivals),
            rank_ranges(rivals, simultaneous=True),
        )
        assert best is not None
        covered += bool(best.maybe[0])
        marginal += bool(ranges and ranges[0] == (1, rows))
        simultaneous += bool(all_ranges and set(all_ranges) == {(1, rows)})
    assert min(covered, marginal, simultaneous) / tables >= 0.92


def test_the_gap_to_the_best_lies_in_its_constrained_interval():
    rng, hits = np.random.default_rng(6), 0
    truth = np.array([0.0, 0.1, 0.5, 2.0])
    gap = np.array([t - np.delete(truth, i).min() for i, t in enumerate(truth)])
    for _ in range(200):
        x = truth[:, None] + 0.3 * rng.standard_normal((4, 12))
        best = compare_with_best(Rivals(influences(x, Design.of(np.zeros(12), np.arange(12)))))
        assert best is not None
        hits += bool(((best.low <= gap) & (gap <= best.high)).all())
    assert hits / 200 >= 0.92
