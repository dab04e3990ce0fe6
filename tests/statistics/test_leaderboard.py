"""A table's statistics, row by row."""

import numpy as np
import pytest

from bench.statistics.leaderboard import leaderboard, pairwise_differences


def table(effects, groups=14, settings=3, noise=0.1, seed=0, drop=()):
    """(S, n) PSNR of solvers with these effects, names of settings and of groups."""
    rng = np.random.default_rng(seed)
    level = 25 + rng.normal(0, 3, (1, groups, settings))
    own = rng.normal(0, noise, (len(effects), groups, 1))
    values = (
        np.asarray(effects)[:, None, None]
        + level
        + own
        + 0.3 * noise * rng.normal(size=(len(effects), groups, settings))
    )
    values = values.reshape(len(effects), -1)
    values[list(drop)] = np.nan
    return values, np.tile(np.arange(settings), groups), np.repeat([f"photo {g}" for g in range(groups)], settings)


def test_clearly_ordered_rows_are_ordered_with_one_best_and_one_rank_each():
    board = leaderboard(*table([0, 2, 1]), lower_is_better=False, baseline=0)
    assert board.order == (1, 2, 0)
    assert [r.maybe_best for r in board.rows] == [False, True, False]
    assert [r.ranks for r in board.rows] == [(3, 3), (1, 1), (2, 2)]


def test_a_lower_metric_is_the_mirror_image():
    values, settings, groups = table([0, 2, 1])
    one = leaderboard(values, settings, groups, lower_is_better=False)
    other = leaderboard(-values, settings, groups, lower_is_better=True)
    assert one.order == other.order
    for a, b in zip(one.rows, other.rows, strict=True):
        assert a.behind == pytest.approx(b.behind)
        assert (a.ranks, a.maybe_best, a.needed) == (b.ranks, b.maybe_best, b.needed)
        assert (a.mean, a.low, a.high) == pytest.approx((-b.mean, -b.high, -b.low))


def test_the_best_row_is_ahead_by_the_gap_and_the_others_are_behind_by_theirs():
    board = leaderboard(*table([0, 2, 1]), lower_is_better=False)
    for row, gap in zip(board.rows, [2, -1, 1], strict=True):
        assert row.behind is not None
        assert row.behind[0] <= gap + 0.1
        assert row.behind[1] >= min(gap - 0.1, 0)
    assert board.rows[1].behind is not None
    assert board.rows[1].behind[1] == 0


def test_the_difference_to_the_baseline_has_the_sign_of_the_metric_and_names_the_better():
    board = leaderboard(*table([0, 2, -1, 0]), lower_is_better=False, baseline=0)
    deltas = [r.delta for r in board.rows]
    assert deltas[0] is None
    assert [d.better for d in deltas if d] == [True, False, None]
    assert deltas[1] is not None
    assert deltas[1].low < 2 < deltas[1].high


def test_rows_of_one_estimator_cost_the_family_one_comparison():
    values, settings, groups = table([0, 0.2, 0.2, 0.2, 0.2, 0.2], noise=0.3)
    alone = leaderboard(values, settings, groups, lower_is_better=False, baseline=0)
    joined = leaderboard(values, settings, groups, lower_is_better=False, baseline=0, same_as=list("wttttt"))
    for a, b in zip(alone.rows[1:], joined.rows[1:], strict=True):
        assert a.delta is not None
        assert b.delta is not None
        assert b.delta.p == a.delta.p <= b.delta.adjusted <= a.delta.adjusted


def test_few_groups_are_marked_and_have_no_ranks_and_two_have_no_interval():
    nine, seven, two = (leaderboard(*table([0, 1], groups=n), lower_is_better=False, baseline=0) for n in (9, 7, 2))
    assert nine.rows[0].few
    assert nine.rows[0].ranks == (2, 2)
    assert seven.rows[0].ranks is None
    assert seven.rows[0].low < seven.rows[0].high
    assert two.note == "2 groups"
    assert two.rows[1].delta is not None
    assert two.rows[1].delta.better is None
    assert np.isnan([two.rows[0].low, two.rows[1].delta.p, two.rows[1].within]).all()
    assert two.rows[1].maybe_best is None


def test_one_kernel_that_all_groups_share_allows_no_interval_and_says_so():
    values, settings, groups = table([0, 1])
    board = leaderboard(values, settings, groups, ["path 0"] * len(groups), lower_is_better=False, baseline=0)
    assert (board.note, board.kernels) == ("one kernel", 1)
    assert np.isnan([board.rows[0].low, board.rows[0].high]).all()
    assert board.rows[1].ranks is None


def test_kernels_of_their_own_change_nothing():
    values, settings, groups = table([0, 1])
    own = [f"{g}/{s}" for g, s in zip(groups, settings, strict=True)]
    plain = leaderboard(values, settings, groups, lower_is_better=False)
    assert leaderboard(values, settings, groups, own, lower_is_better=False) == plain


def test_a_row_without_values_has_no_rank_comes_last_and_costs_nobody_a_place():
    board = leaderboard(*table([0, 0, 1], drop=[0]), lower_is_better=False, baseline=1)
    assert board.order == (2, 1, 0)
    assert np.isnan(board.rows[0].mean)
    assert board.rows[0].maybe_best is None
    assert [r.ranks for r in board.rows] == [None, (2, 2), (1, 1)]


def test_a_metric_that_ranks_nothing_has_means_and_intervals_alone():
    board = leaderboard(*table([0, 1]), lower_is_better=None, baseline=0)
    assert board.order == (0, 1)
    assert board.rows[1].low < board.rows[1].mean < board.rows[1].high
    assert board.rows[1].delta is None
    assert board.rows[1].maybe_best is None


def test_a_closer_rival_needs_more_groups():
    board = leaderboard(*table([0, 0.02, 1]), lower_is_better=False)
    assert board.rows[2].needed is None
    needed = leaderboard(*table([0, 0.97, 1]), lower_is_better=False).rows
    assert needed[0].needed is not None
    assert needed[1].needed is not None
    assert needed[0].needed < needed[1].needed


def test_pairs_are_antisymmetric_and_adjusted_upwards():
    pairs = pairwise_differences(*table([0, 0.1, 1, 0], drop=[3]))
    assert pairs.mean[:3, :3] == pytest.approx(-pairs.mean[:3, :3].T)
    assert pairs.low[:3, :3] == pytest.approx(-pairs.high[:3, :3].T)
    assert (pairs.adjusted[0, 1:3] >= pairs.p[0, 1:3]).all()
    assert np.isnan(pairs.p[3]).all()
    assert np.isnan(np.diag(pairs.p)).all()


def test_no_rows_make_an_empty_table():
    assert leaderboard(np.zeros((0, 0)), [], [], lower_is_better=False).rows == ()


def test_two_rows_of_one_estimator_are_one_member_of_the_family_of_pairs():
    rng = np.random.default_rng(7)
    values = 30 + 0.6 * np.arange(3)[:, None] + rng.standard_normal((3, 9)) * 0.5
    alone = pairwise_differences(values, ["s"] * 9, range(9))
    twice = pairwise_differences(values[[0, 0, 1, 2]], ["s"] * 9, range(9), same_as=["a", "a", "b", "c"])
    assert twice.adjusted[1:, 1:] == pytest.approx(alone.adjusted, nan_ok=True)
    assert np.isnan(twice.adjusted[0, 1])
    assert twice.mean[0, 1] == 0
