"""Golden-section search: where it ends, that it asks for no more than its budget, and that it can be replayed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.grid.search import Axis, Candidate, Range, Values, steps

Loss = Callable[[Candidate], float]


def run(axes: dict[str, Axis], budget: int, loss: Loss, start: dict[str, Any] | None = None) -> list[Candidate]:
    """Everything that a search tries, in order."""
    search = steps(axes, budget, start or {})
    tried: list[Candidate] = []
    asked = next(search)
    while True:
        tried += asked
        try:
            asked = search.send([loss(c) for c in asked])
        except StopIteration:
            return tried


def parabola(best: float, noise: float = 0.0, seed: int = 0) -> Loss:
    """Decibels lost in ln(lam): 1 at a factor e from the best value, and a bounded error of its own at each value."""

    def loss(c: Candidate) -> float:
        error = np.random.default_rng([seed, int(1e6 * c["lam"])]).uniform(-noise, noise)
        return math.log(c["lam"] / best) ** 2 + error

    return loss


def best_of(tried: list[Candidate], loss: Loss) -> float:
    return min(tried, key=loss)["lam"]


@pytest.mark.parametrize(("budget", "factor"), [(7, 1.4), (9, 1.15), (12, 1.05)])
def test_the_optimum_inside_a_range_of_two_decades_is_met_within_a_factor(budget: int, factor: float) -> None:
    for best in np.geomspace(0.11, 9, 40):
        loss = parabola(best)
        tried = run({"lam": Range(0.1, 10.0)}, budget, loss)
        assert len(tried) <= budget
        assert 1 / factor <= best_of(tried, loss) / best <= factor


def test_noise_costs_little_more_than_itself() -> None:
    """Errors of ±0.02 dB: the chosen value loses at most 0.04 dB, which two values that look alike may differ by."""
    lost = []
    for seed in range(200):
        best = math.exp(np.random.default_rng(seed).uniform(math.log(0.2), math.log(5)))
        loss = parabola(best, 0.02, seed)
        lost.append(math.log(best_of(run({"lam": Range(0.1, 10.0)}, 12, loss), loss) / best) ** 2)
    assert max(lost) < 0.04


@pytest.mark.parametrize("best", [1e-4, 0.01, 0.05, 30.0, 500.0, 5000.0])
def test_an_optimum_outside_the_range_is_reached_by_stepping_beyond_it(best: float) -> None:
    loss = parabola(best)
    tried = run({"lam": Range(0.1, 10.0)}, 12, loss)
    assert len(tried) <= 12
    assert 0.5 < best_of(tried, loss) / best < 2


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_loss_that_falls_for_ever_is_followed_for_three_steps(sign: int) -> None:
    values = [c["lam"] for c in run({"lam": Range(0.1, 10.0)}, 12, lambda c: -sign * c["lam"])]
    assert len(values) == 12
    assert sum(v > 10 if sign > 0 else v < 0.1 for v in values[3:6]) == 3
    last = max(values) if sign > 0 else min(values)
    assert last == values[5]  # the others lie between it and what was known


def test_nothing_is_tried_beyond_a_bound_and_the_bound_itself_can_be_chosen() -> None:
    axis = Range(0.5, 0.9, log=False, least=0.0, most=1.0)
    values = [c["eta"] for c in run({"eta": axis}, 12, lambda c: -c["eta"])]
    assert max(values) == 1.0
    assert min(values) >= 0
    assert len(values) > 4  # and the neighbourhood of the bound was searched


def test_whole_numbers_reach_zero_where_zero_is_allowed_and_none_is_tried_twice() -> None:
    axis = Range(4, 256, whole=True, least=0)
    values = [c["steps"] for c in run({"steps": axis}, 12, lambda c: c["steps"])]
    assert 0 in values
    assert len(values) == len(set(values))
    assert all(isinstance(v, int) for v in values)
    assert min(c["steps"] for c in run({"steps": Range(4, 256, whole=True, least=1)}, 12, lambda c: c["steps"])) == 1


def test_a_linear_range_is_searched_linearly() -> None:
    tried = run({"x": Range(-1.0, 1.0, log=False)}, 14, lambda c: (c["x"] - 0.3) ** 2)
    assert min(abs(c["x"] - 0.3) for c in tried) < 0.01


def test_a_failure_is_an_infinite_loss_and_the_search_stays_away_from_it() -> None:
    def loss(c: Candidate) -> float:
        return math.inf if c["lam"] > 1 else -c["lam"]

    assert 0.8 < best_of(run({"lam": Range(0.1, 10.0)}, 12, loss), loss) <= 1


def test_a_search_in_which_everything_fails_ends_after_its_first_round() -> None:
    assert len(run({"lam": Range(0.1, 10.0)}, 12, lambda _: math.inf)) == 3


def test_told_the_same_losses_a_search_asks_for_the_same_candidates() -> None:
    axes: dict[str, Axis] = {"lam": Range(0.1, 10.0)}
    loss = parabola(37.0, 0.05)
    first = run(axes, 9, loss)
    for known in range(len(first)):  # what was interrupted anywhere, and begins again
        again = steps(axes, 9, {})
        tried = next(again)
        while len(tried) < known:
            tried = tried + again.send([loss(c) for c in tried[-1:]] if len(tried) > 3 else [loss(c) for c in tried])
        assert tried == first[: len(tried)]


def test_a_list_is_tried_as_it_stands_or_thinned_evenly_with_both_ends() -> None:
    assert run({"lam": Values((3, 1, 2))}, 7, lambda c: c["lam"]) == [{"lam": 3}, {"lam": 1}, {"lam": 2}]
    thinned = [c["lam"] for c in run({"lam": Values(tuple(range(101)))}, 5, lambda c: c["lam"])]
    assert thinned == [0, 25, 50, 75, 100]


def test_several_lists_are_tried_in_all_combinations_or_in_a_part_that_never_changes() -> None:
    axes: dict[str, Axis] = {"a": Values((1, 2, 3)), "b": Values(("x", "y"))}
    assert len(run(axes, 6, lambda _: 0)) == 6
    part = run(axes, 4, lambda _: 0)
    assert len(part) == 4
    assert part == run(axes, 4, lambda _: 1)


def test_of_several_axes_one_after_the_other_is_searched_with_equal_shares() -> None:
    def loss(c: Candidate) -> float:
        return math.log(c["lam"] / 0.4) ** 2 + math.log(c["mu"] / 3) ** 2 + (c["kind"] != "y")

    axes: dict[str, Axis] = {"lam": Range(0.1, 10.0), "kind": Values(("x", "y")), "mu": Range(0.1, 10.0)}
    tried = run(axes, 21, loss, {"lam": 1.0, "kind": "x", "mu": 1.0})
    assert len(tried) == 7 + 2 + 7
    best = min(tried, key=loss)
    assert best["kind"] == "y"
    assert 1 / 1.6 < best["lam"] / 0.4 < 1.6
    assert 1 / 1.6 < best["mu"] / 3 < 1.6
