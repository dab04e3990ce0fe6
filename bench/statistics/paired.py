"""Statistics for tables: intervals clustered by image, paired differences, Holm, ranges of ranks.

Cells of one image under many blurs and noises are not independent; images are. Everything here therefore averages
within a cluster (an image) first and treats the G cluster means as the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray


class Difference(NamedTuple):
    """A paired difference: mean, half width of its interval, two-sided p-value of "no difference", clusters."""

    mean: float
    half_width: float
    p: float
    n: int


def cluster_means(values: Array, clusters: Sequence[Any] | Array) -> Array:
    """Mean of ``values`` (n,) within each cluster (G,), in the order of the sorted names; NaN values are left out."""
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    known = ~np.isnan(values)
    count = np.bincount(index[known], minlength=len(names))
    total = np.bincount(index[known], weights=np.asarray(values, float)[known], minlength=len(names))
    return total[count > 0] / count[count > 0]


def clustered_mean(values: Array, clusters: Sequence[Any] | Array, level: float = 0.95) -> tuple[float, float]:
    """Mean and half width of its t interval, clustered.

    With m_g the mean of cluster g = 1..G: mean = (1/G) sum m_g (clusters weigh alike, however many cells they have)
    and half width = t_{G-1, (1+level)/2} s / sqrt(G), s^2 = sum (m_g - mean)^2 / (G - 1).

    NaN values are left out; a half width needs two clusters and finite values, else it is NaN; nothing at all gives
    (NaN, NaN).
    """
    m = cluster_means(np.asarray(values, float), clusters)
    if len(m) == 0:
        return float("nan"), float("nan")
    mean = float(m.mean())
    if len(m) < 2 or not np.isfinite(m).all():
        return mean, float("nan")
    return mean, t_quantile((1 + level) / 2, len(m) - 1) * _standard_error(m)


def paired_difference(a: Array, b: Array, clusters: Sequence[Any] | Array, level: float = 0.95) -> Difference:
    """Mean of a - b over the cells where both are finite, with clustered interval and t-test (see above).

    The p-value is NaN below two clusters; when every cluster shows the same difference it is 1 (if zero) or 0.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    both = np.isfinite(a) & np.isfinite(b)
    d = np.where(both, np.where(both, a, 0) - np.where(both, b, 0), np.nan)
    mean, half = clustered_mean(d, clusters, level)
    m = cluster_means(d, clusters)
    if len(m) < 2:
        return Difference(mean, half, float("nan"), len(m))
    se = _standard_error(m)
    if se == 0:
        return Difference(mean, half, float(mean == 0), len(m))
    from scipy.special import stdtr

    return Difference(mean, half, float(2 * stdtr(len(m) - 1, -abs(mean / se))), len(m))


def impute(values: Array, fill: Array | None) -> Array:
    """``values`` (S, n) with each NaN replaced by ``fill`` (n,): a failed cell is worth the blurred input."""
    if fill is None:
        return values
    return np.where(np.isnan(values), np.asarray(fill, float)[None, :], values)


def rank_ranges(
    loss: Array,
    clusters: Sequence[Any] | Array,
    *,
    fill: Array | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> list[tuple[int, int] | None]:
    """For each solver the ranks, best to worst, that the data do not rule out; jointly true with ``level``.

    A solver's best rank is 1 + the number of solvers surely better, its worst S - the number surely worse. "Surely":
    |mean difference| / se exceeds the ``level`` quantile of the largest such statistic over all pairs, bootstrapped
    over clusters with the standard error of each resample (studentised max-T; Mogstad, Romano, Shaikh & Wilhelm,
    Rev. Econ. Stud. 91, 2024), or Student's t quantile after Bonferroni where that is smaller: with few clusters.

    Args:
        loss: (S, n), less is better; NaN for a failed cell.
        clusters: (n,) names.
        fill: (n,) loss of the blurred input, used for failed cells. Cells that stay incomplete are left out.
        level: probability with which all ranges hold together.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        (best, worst) per solver; None for one without any value.
    """
    loss = np.asarray(loss, float)
    ranked = np.flatnonzero(np.isfinite(loss).any(1))
    filled = impute(loss[ranked], fill)
    complete = np.isfinite(filled).all(0)
    groups = np.asarray(clusters)[complete]
    out: list[tuple[int, int] | None] = [None] * len(loss)
    S = len(ranked)
    if complete.any():
        m = np.stack([cluster_means(row[complete], groups) for row in filled])
        better = _surely_better(m, level, resamples, seed)
    else:
        better = np.zeros((S, S), bool)
    for i, s in enumerate(ranked):
        out[s] = 1 + int(better[:, i].sum()), S - int(better[i].sum())
    return out


def _surely_better(m: Array, level: float, resamples: int, seed: int) -> Array:
    """(S, S) booleans: solver i's loss is below solver j's, from cluster means m (S, G)."""
    S, G = m.shape
    i, j = np.triu_indices(S, 1)
    d = (m[j] - m[i]).T  # (G, pairs), positive where i is better
    better = np.zeros((S, S), bool)
    if G < 2 or len(i) == 0:
        return better
    draws = resample_counts(resamples, G, seed)
    t, critical = _studentised(np.ones((1, G)), d)[0], _critical(draws, d, level)
    better[i[t > critical], j[t > critical]] = True
    better[j[t < -critical], i[t < -critical]] = True
    return better


def resample_counts(resamples: int, G: int, seed: int = 0) -> Array:
    """How often each of G clusters is drawn in each bootstrap resample: (resamples, G) integers, rows of sum G.

    Draw i = 0, 1, ... of the flattened (resamples, G) draws is cluster floor(u_i G); u_i is a function of i alone
    (SplitMix: Steele, Lea & Flood, OOPSLA 2014, in 32 bits with MurmurHash3's finaliser), so that the script of a
    report draws the very same resamples.
    """
    if G * resamples >= 2**32:
        raise ValueError(f"{resamples} resamples of {G} clusters are more than the generator's 2^32 draws")
    counter = np.arange(1, resamples * G + 1, dtype=np.uint32)
    u = _mix(counter * np.uint32(0x9E3779B9) + _mix(np.array([seed], np.uint32)))
    drawn = (u.astype(np.uint64) * np.uint64(G) >> np.uint64(32)).astype(np.int64).reshape(resamples, G)
    rows = np.arange(resamples)[:, None] * G
    return np.bincount((rows + drawn).ravel(), minlength=resamples * G).reshape(resamples, G)


def _mix(z: Array) -> Array:
    z = (z ^ (z >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    z = (z ^ (z >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return z ^ (z >> np.uint32(16))


def _critical(draws: Array, d: Array, level: float) -> float:
    largest = np.abs(_studentised(draws, d - d.mean(0))).max(1)
    bootstrapped = float(np.quantile(largest, level, method="higher"))
    G, pairs = d.shape
    # With few clusters many resamples are degenerate and the quantile runs away; Bonferroni's t bound still holds.
    return min(bootstrapped, t_quantile(1 - (1 - level) / (2 * pairs), G - 1))


def _studentised(weights: Array, d: Array) -> Array:
    """(resamples, pairs): mean over standard error under cluster weights (resamples, G); 0/0 is 0."""
    G = d.shape[0]
    scale = np.abs(d).max(0)
    d = d / np.where(scale > 0, scale, 1)
    mean = weights @ d / G
    variance = weights @ d**2 / G - mean**2
    # Below rounding of the two squares' difference the resample is degenerate: one cluster, drawn G times.
    se = np.sqrt(np.where(variance > 1e-12, variance, 0) / (G - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, 0.0, mean / se)


def t_quantile(p: float, df: int) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def _standard_error(m: Array) -> float:
    return float(m.std(ddof=1) / np.sqrt(len(m)))
