"""Which rows may be the best, and which ranks a row may have: simultaneous comparisons of all rows.

Both ask for the quantile of the largest of many correlated t statistics. It is simulated from a multivariate t law
with the correlations of the clusters' influences, and never above Bonferroni's quantile. A difference counts as sure
when its statistic, drawn towards 0 where the skewness says so (``Estimate.statistic``), is beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.statistics.clusters import Array, Influence
from bench.statistics.interval import LEVEL, MIN_GROUPS, Estimate, estimate, inverse_hall, t_quantile

#: groups below which no ranges of ranks are given
RANK_GROUPS = 8
#: share of independent scatter mixed into the correlations, divided by G - 1: with few groups estimated correlations
#: are too large in magnitude, and the quantile of the maximum too small
SHRINKAGE = 1.0


@dataclass(frozen=True)
class Best:
    """Multiple comparisons with the best (Hsu, Ann. Statist. 12, 1984), on losses: less is better.

    Attributes:
        maybe: (S,) booleans: not distinguishable from the best. The best row is among them with the level's chance.
        low, high: (S,) ends of simultaneous constrained intervals for loss - least loss of the other rows: high is
            0 for the only possible best row, low is 0 for rows that are surely not the best.
    """

    maybe: Array
    low: Array
    high: Array


def pairwise(parts: Influence) -> Estimate:
    """(S, S) estimates of mean_i - mean_j from the influences of S rows on the same cells."""
    S = len(parts.mean)
    i, j = np.divmod(np.arange(S * S), S)
    e = estimate(parts.take(i).minus(parts.take(j)))
    return Estimate(
        *(np.broadcast_to(part, (S * S,)).reshape(S, S) for part in (e.mean, e.se, e.df, e.skew, e.groups))
    )


def compare_with_best(parts: Influence, pairs: Estimate, level: float = LEVEL, draws: int = 2000) -> Best | None:
    """Hsu's comparisons of S rows' losses, each with the control's own critical value (Edwards & Hsu, JASA 78, 1983).

    Row i may be the best unless some row j is better by a one-sided test whose level holds over all j together. None
    where there are no intervals.
    """
    S = len(parts.mean)
    if not _judged(pairs):
        return None
    if S == 1:
        return Best(np.ones(1, bool), np.zeros(1), np.zeros(1))
    c = critical_values(parts, pairs, level, draws, two_sided=False)
    lower = _lower_end(pairs, c[:, None])  # of loss_i - loss_j, as the control i sees it
    np.fill_diagonal(lower, -np.inf)
    surplus = lower.max(1)
    maybe = surplus <= 0
    upper = -lower.T  # of loss_i - loss_j, as the control j sees it; -inf on the diagonal would be +inf here
    np.fill_diagonal(upper, -np.inf)
    high = np.maximum(np.where(maybe[None, :], upper, -np.inf).max(1), 0.0)
    return Best(maybe, np.minimum(surplus, 0.0), high)


def rank_ranges(
    parts: Influence, pairs: Estimate, level: float = LEVEL, draws: int = 2000, simultaneous: bool = False
) -> list[tuple[int, int]] | None:
    """For each row the ranks, best to worst, that the data do not rule out (losses: less is better).

    The best rank is 1 + the number of rows surely better, the worst S - the number surely worse (Mogstad, Romano,
    Shaikh & Wilhelm, Rev. Econ. Stud. 91, 2024). None below ``RANK_GROUPS`` groups.

    Args:
        parts, pairs: of the S rows, from ``influences`` and ``pairwise``.
        level: chance that a row's range holds its true rank; of all ranges together when ``simultaneous``.
        draws: of the simulated quantile.
        simultaneous: all ranges hold together, instead of each by itself.
    """
    S = len(parts.mean)
    if S == 0 or not _judged(pairs) or int(pairs.groups.min()) < RANK_GROUPS:
        return None
    c = critical_values(parts, pairs, level, draws, two_sided=True, simultaneous=simultaneous)[:, None]
    statistic = pairs.statistic()
    better, worse = (statistic < -c) & (pairs.mean < 0), (statistic > c) & (pairs.mean > 0)
    return [(1 + int(worse[i].sum()), S - int(better[i].sum())) for i in range(S)]


def critical_values(
    parts: Influence,
    pairs: Estimate,
    level: float,
    draws: int = 2000,
    *,
    two_sided: bool,
    simultaneous: bool = False,
) -> Array:
    """(S,) quantiles of the largest statistic over the other rows, for each row; over all pairs if simultaneous."""
    S = len(parts.mean)
    df = float(np.median(pairs.df))
    noise, scale = _row_noise(parts, draws)
    largest = np.empty((S, draws), np.float32)
    for i in range(S):
        T = (noise[i] - np.delete(noise, i, 0)) / np.delete(scale[i], i)[:, None]
        largest[i] = (np.abs(T) if two_sided else T).max(0)
    if simultaneous:
        largest[:] = largest.max(0)
    tests = (S * (S - 1) // 2 if simultaneous else S - 1) * (2 if two_sided else 1)
    bound = float(t_quantile(1 - (1 - level) / tests, df))
    return np.minimum(np.quantile(largest / _chi(draws, df), level, axis=1), bound)


def _judged(pairs: Estimate) -> bool:
    """Whether there are standard errors: groups enough, and more than one kernel where kernels are shared."""
    off = ~np.eye(len(pairs.mean), dtype=bool)
    return bool(np.isfinite(pairs.se[off]).all()) and bool((pairs.groups >= MIN_GROUPS).all())


def _lower_end(pairs: Estimate, c: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return pairs.mean - np.maximum(c, inverse_hall(c, pairs.skew)) * pairs.se


def _row_noise(parts: Influence, draws: int) -> tuple[Array, Array]:
    """(S, draws) normal errors of the rows' means with the correlations of the influences, and (S, S) the standard
    deviations of their differences.
    """
    u = parts.group if parts.kernel is None else np.concatenate([parts.group, parts.kernel], 1)
    u = u - u.mean(0)  # what all rows share cancels in differences
    own = np.sqrt(SHRINKAGE / (parts.group.shape[1] - 1) * (u**2).sum(1))
    shared, apart = _normal(draws, u.shape[1], len(u))
    noise = u.astype(np.float32) @ shared + own[:, None].astype(np.float32) * apart
    square = (u**2).sum(1)
    variance = square[:, None] + square[None, :] - 2 * u @ u.T + own[:, None] ** 2 + own[None, :] ** 2
    # Rows that are the same to the last bit differ by 0 and have scale 0: their statistic is 0.
    return noise, np.sqrt(np.where(variance > 1e-20 * max(float(square.max()), 1e-300), variance, np.inf))


@lru_cache(maxsize=8)
def _normal(draws: int, clusters: int, rows: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((clusters, draws), np.float32),
        rng.standard_normal((rows, draws), np.float32),
    )


@lru_cache(maxsize=8)
def _chi(draws: int, df: float) -> Array:
    return np.sqrt(np.random.default_rng(1).chisquare(df, draws) / df).astype(np.float32)
