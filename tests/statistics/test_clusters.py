"""Means over settings, groups and cells, and what each cluster adds to them."""

import numpy as np
import pytest

from bench.statistics.clusters import Design, influences

RNG = np.random.default_rng(0)


def test_in_balanced_data_the_mean_is_the_mean_and_an_influence_is_a_groups_deviation():
    cells = RNG.normal(size=(5, 3))  # groups x settings
    design = Design.of(np.tile(["a", "b", "c"], 5), np.repeat(np.arange(5), 3))
    parts = influences(cells.reshape(1, -1), design)
    assert parts.mean == pytest.approx(cells.mean())
    assert parts.group[0] == pytest.approx((cells.mean(1) - cells.mean()) / 5)


def test_settings_weigh_alike_and_groups_weigh_alike_within_them():
    design = Design.of(["a", "a", "a", "b"], ["g", "g", "h", "g"])
    # setting a: group g has mean 2, h has 4, so 3; setting b: 7
    assert influences(np.array([[1.0, 3.0, 4.0, 7.0]]), design).mean == pytest.approx(5)


def test_missing_values_are_left_out_row_by_row():
    design = Design.of(["s"] * 4, ["g", "g", "h", "i"])
    parts = influences(np.array([[1.0, np.nan, 3.0, np.nan], [1.0, 2.0, np.nan, 5.0]]), design)
    assert parts.mean == pytest.approx([2, 3.25])
    assert parts.groups.tolist() == [2, 2]


def test_a_row_without_values_has_no_mean():
    parts = influences(np.full((1, 3), np.nan), Design.of(["s"] * 3, "ghi"))
    assert np.isnan(parts.mean).all()
    assert parts.groups == 0


def test_influences_of_groups_and_of_kernels_each_sum_to_zero():
    design = Design.of(RNG.integers(0, 3, 60), RNG.integers(0, 5, 60), RNG.integers(0, 4, 60))
    values = np.where(RNG.random((2, 60)) < 0.1, np.nan, RNG.normal(size=(2, 60)))
    parts = influences(values, design)
    assert parts.kernel is not None
    assert parts.both is not None
    for clusters in (parts.group, parts.kernel, parts.both):
        assert clusters.sum(1) == pytest.approx(0, abs=1e-12)


def test_the_influence_of_a_difference_is_the_difference_of_influences():
    design = Design.of(RNG.integers(0, 3, 60), RNG.integers(0, 5, 60), RNG.integers(0, 4, 60))
    a, b = RNG.normal(size=(2, 1, 60))
    one, other = influences(a - b, design), influences(a, design).minus(influences(b, design))
    for x, y in zip(one, other, strict=True):
        assert x == pytest.approx(y)


@pytest.mark.parametrize(
    ("kernels", "number"),
    [
        (["p", "q", "r", "t"], None),  # everybody's own
        (["p", "q", "p", "q"], 2),  # crossed
        (["p", "p", "p", "p"], 1),  # one for all
        ([None, "", np.nan, None], None),  # part of the setting, not drawn
        ([None, "q", None, "q"], 1),
    ],
)
def test_whether_groups_share_kernels_is_read_off_the_data(kernels, number):
    assert Design.of(["s"] * 4, ["a", "b", "c", "d"], kernels).n_kernels == number


def test_a_selection_of_cells_is_the_design_of_those_cells():
    design = Design.of("aabb", "ghgh", "ppqq")
    one_group = design.select(np.array([True, False, True, False]))
    assert (one_group.n_groups, one_group.n_settings, one_group.n_kernels) == (1, 2, None)
    assert design.select(np.array([True, True, False, False])).n_kernels == 1


def test_names_of_different_cells_are_refused():
    with pytest.raises(ValueError, match="'groups': 3"):
        Design.of(["s"] * 4, ["g"] * 3)
