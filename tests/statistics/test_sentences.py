"""The sentences above a table: they name what the tests carry, and claim nothing else."""

import re

import numpy as np
import pytest

from bench.statistics.sentences import Wording, sentences

DECIBEL = Wording(unit="dB", groups="photographs")
#: what a sentence that claims a difference says
CLAIM = re.compile(r"is the best|behind|best row is|better|worse")


def data(effects, groups=14, settings=3, noise=0.1, seed=0, skewed=False):
    """(S, n) PSNR, names of settings and of groups; ``effects`` (S,) or (S, settings)."""
    rng = np.random.default_rng(seed)
    effects = np.broadcast_to(np.asarray(effects, float).reshape(len(effects), -1), (len(effects), settings))
    own = (
        rng.exponential(size=(len(effects), groups, 1)) if skewed else rng.standard_normal((len(effects), groups, 1))
    )
    rest = 0.5 * noise * rng.standard_normal((len(effects), groups, settings))
    values = 25 + rng.normal(0, 3, (1, groups, 1)) + effects[:, None] + noise * own + rest
    return (
        values.reshape(len(effects), -1),
        np.tile(np.arange(settings), groups),
        np.repeat(np.arange(groups), settings),
    )


def test_a_clear_winner_is_named_with_its_lead_over_the_baseline():
    text = sentences(
        *data([0, 0.8, 0]), names=["wiener", "tv", "tikhonov"], lower_is_better=False, baseline=0, wording=DECIBEL
    )
    assert text[0] == "tv is the best of 3 rows, over 14 photographs."
    assert text[1] == "Of 3 settings, the best row is tv in 3."
    match = re.fullmatch(
        r"Against the baseline wiener: tv is better by (\S+) dB \((\S+) to (\S+)\), "
        r"1 cannot be distinguished from it\.",
        text[2],
    )
    assert match
    assert float(match[2]) < 0.8 < float(match[3])


def test_rows_that_cannot_be_told_from_the_best_are_listed_best_first():
    values, settings, groups = data([0, 2, 2.01, 2, 2.02, 2], noise=0.3)
    text = sentences(values, settings, groups, names=list("abcdef"), lower_is_better=False)
    order = sorted("bcdef", key=lambda n: -values["abcdef".index(n)].mean())
    named = ", ".join(order[:3])
    assert (
        text[0] == f"{named} and 2 more cannot be distinguished from the best, over 14 photographs; 1 row is behind."
    )


def test_settings_with_different_winners_are_counted_apart():
    effects = [[1, 1, 0, 0], [0, 0, 1, 0]]
    text = sentences(*data(effects, settings=4), names=["tv", "dps"], lower_is_better=False)
    assert text[1] == "Of 4 settings, the best row is tv in 2 and dps in 1; in 1 no row stands out."


def test_lower_is_better_turns_every_claim_round():
    values, settings, groups = data([0, 1])
    text = sentences(values, settings, groups, names=["a", "b"], lower_is_better=True, baseline=0)
    assert text[0].startswith("a is the best")
    assert text[2] == "Against the baseline a: b is worse."


def test_implementations_of_one_estimator_speak_once():
    values, settings, groups = data([0, 1, 1, 1])
    text = sentences(
        values, settings, groups, names=["wiener", "tv", "tv2", "tv3"], same_as=list("wttt"), lower_is_better=False
    )
    assert text[0] == "tv is the best of 2 rows, over 14 photographs."


@pytest.mark.parametrize(
    ("groups", "kernels", "start"),
    [
        (2, None, "With 2 groups these numbers allow no statement"),
        (9, ["path"] * 27, "With one kernel these numbers"),
    ],
)
def test_designs_without_intervals_allow_no_statement(groups, kernels, start):
    values, settings, g = data([0, 5], groups=groups)
    (text,) = sentences(values, settings, g, kernels, names=["a", "b"], lower_is_better=False, baseline=0)
    assert text.startswith(start)


def test_few_photographs_are_said_to_be_few():
    text = sentences(*data([0, 5], groups=7), names=["a", "b"], lower_is_better=False)
    assert text[-1] == "There are only 7 photographs: read every interval with care."


def test_one_row_or_none_cannot_be_compared():
    assert sentences(*data([0]), names=["a"], lower_is_better=False) == ["There are no two rows to compare."]
    values, settings, groups = data([0, 1])
    values[0, :20], values[1, 20:] = np.nan, np.nan
    assert "cannot be compared" in sentences(values, settings, groups, names=["a", "b"], lower_is_better=False)[0]


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True], ids=["normal", "skewed"])
@pytest.mark.parametrize("rows", [2, 6])
def test_without_true_differences_19_tables_of_20_claim_none(rows, skewed):
    tables, claims = 200, 0
    for seed in range(tables):
        given = data([0] * rows, groups=10, seed=seed, skewed=skewed)
        text = sentences(*given, names=[f"row {i}" for i in range(rows)], lower_is_better=False, baseline=0)
        claims += any(CLAIM.search(s.replace("cannot be distinguished from the best", "")) for s in text)
    # A true chance of 5 % gives at most 17 of 200 in 97.5 % of the runs.
    assert claims <= 17


def test_where_the_best_cannot_be_told_apart_it_says_how_many_photographs_that_would_take():
    rng = np.random.default_rng(9)
    values = 30 + np.array([0.3, 0.1])[:, None] + rng.standard_normal((2, 8))
    first, *_ = sentences(values, ["s"] * 8, range(8), names=["a", "b"], lower_is_better=False)
    assert "To tell" in first
    assert "the two best, would take about" in first
