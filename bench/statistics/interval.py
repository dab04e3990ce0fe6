"""Intervals and p-values of means, from the influences of clusters.

One estimate has a standard error, degrees of freedom and a skewness. Its 95 % interval is the hull of two:

- Student's, θ ± t_ν se;
- Hall's transformation for skewed laws (J. R. Statist. Soc. B 54, 1992, eq. 2.4), with Student's quantile in place of
  the normal one: g(T) = T + δ T²/3 + δ² T³/27 + δ/6 is monotone, and its law is Student's to a higher order than that
  of T = (mean - θ) / se; δ is the skewness of the mean (that of the groups over √G).

The hull covers 93 to 97 % where neither does alone: see docs/statistics.md for the table. Below ``MIN_GROUPS`` groups
and ``MIN_KERNELS`` shared kernels there is no interval. Below ``SURE`` groups it is called *nominal* (``called``): a
sample that holds no picture of a rare kind is a sample of the ordinary kind, and nothing in it can warn of the other.
Below ``FEW`` groups the table marks it besides.

``means`` is the one place where a mean of the report, the terminal or a check gets its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bench.statistics.clusters import Array, Design, Influence, influences

LEVEL = 0.95
#: groups below which no interval is given
MIN_GROUPS = 3
#: kernels below which none is given, where groups share them
MIN_KERNELS = 3
#: groups below which an interval is marked: skewed laws may defeat it
FEW = 10
#: groups (and shared kernels) from which it covers 93 to 97 % for every law of docs/statistics.md: 30 pictures miss a
#: kind that makes up a tenth of all in 4 % of samples, 14 in 23 %, 7 in 48 %
SURE = 30


def called(groups: float, kernels: int | None = None) -> str:
    """What an interval at ``LEVEL`` over so many groups (and kernels, where they are shared) may be called."""
    fewest = groups if kernels is None else min(groups, kernels)
    return "95 %" if fewest >= SURE else "nominal 95 %"


@dataclass(frozen=True)
class Estimate:
    """Means with what is needed to judge them; every field has the shape (...,) of the rows.

    Attributes:
        mean: the estimate; NaN where there is no value.
        se: its standard error; NaN below ``MIN_GROUPS`` groups or ``MIN_KERNELS`` shared kernels.
        df: degrees of freedom of Student's law (fractional in crossed designs).
        skew: δ, third cumulant of the mean over its variance to the power 3/2.
        groups: number of groups.
    """

    mean: Array
    se: Array
    df: Array
    skew: Array
    groups: Array

    @property
    def few(self) -> Array:
        """Whether the groups are too few for an interval that holds whatever the law."""
        return self.groups < FEW

    def interval(self, level: float = LEVEL) -> tuple[Array, Array]:
        """Lower and upper ends; NaN where there is no standard error."""
        q = t_quantile((1 + level) / 2, self.df)
        upper = np.maximum(q, inverse_hall(q, self.skew))
        lower = np.minimum(-q, inverse_hall(-q, self.skew))
        return self.mean - upper * self.se, self.mean - lower * self.se

    def statistic(self) -> Array:
        """Mean over standard error, drawn to 0 where the skewness says so: beyond ±t_ν exactly when 0 is outside.

        0 / 0 is 0; a mean without scatter is ±inf.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            T = np.where(self.mean == 0, 0.0, self.mean / self.se)
            T = np.where(np.isnan(self.se), np.nan, T)
            g = np.where(np.isfinite(T), hall(T, self.skew), T)
        toward_zero = np.where(T > 0, np.minimum(T, g), np.maximum(T, g))
        return np.where(T > 0, np.maximum(toward_zero, 0), np.minimum(toward_zero, 0))

    def p_value(self) -> Array:
        """Two-sided, of "the mean is 0": below 1 - level exactly when 0 is outside the interval of that level."""
        return np.minimum(1.0, 2 * t_tail(np.abs(self.statistic()), self.df))


def means(
    values: Array,
    settings: Sequence[Any] | Array,
    groups: Sequence[Any] | Array,
    kernels: Sequence[Any] | Array | None = None,
) -> Estimate:
    """Means of the rows of ``values`` (R, n), NaN left out, with what their intervals need; see ``Design.of``."""
    return estimate(influences(values, Design.of(settings, groups, kernels)))


def estimate(parts: Influence, level: float = LEVEL) -> Estimate:
    """Standard error, degrees of freedom and skewness of each row.

    One-way (own kernels): V = G/(G-1) Σ u_g² (in balanced data s²/G), ν = G - 1.

    Crossed (groups share kernels): V = V_g + (V_k - V_e)_+, as Cameron, Gelbach & Miller (J. Bus. Econ. Stat. 29,
    2011) where that is not below V_g; V_e is the share of the mean square within pairs of group and kernel that both
    counts contain. Their min(G, K) - 1 degrees of freedom cover up to 1.000; here each part has its own, after
    Banerjee (Sankhya A 23, 1961): half width² = t²_{G-1} V_g + t²_{K-1} (V_k - V_e)_+, and ν is the one whose
    quantile gives it. The skewness is that of the groups: of a handful of kernels it would be noise.
    """
    groups = np.asarray(parts.groups)
    V_g, kappa = _moments(parts.group, groups)
    enough = groups >= MIN_GROUPS
    if parts.kernel is None or parts.both is None:
        se = np.sqrt(np.where(enough, V_g, np.nan))
        return Estimate(parts.mean, se, _df(groups), _ratio(kappa, V_g), groups)
    K, H = parts.kernel.shape[-1], parts.both.shape[-1]
    V_k, V_both = (_moments(u, np.asarray(n))[0] for u, n in ((parts.kernel, K), (parts.both, H)))
    V_k = np.maximum(V_k - _within(V_both, V_g, V_k, groups, K), 0)
    V = V_g + V_k
    q_g, q_k = (t_quantile((1 + level) / 2, _df(n)) for n in (groups, np.asarray(K)))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(V > 0, _df_of(np.sqrt((q_g**2 * V_g + q_k**2 * V_k) / V), level), _df(groups))
    se = np.sqrt(np.where(enough & (K >= MIN_KERNELS), V, np.nan))
    return Estimate(parts.mean, se, df, _ratio(kappa, V), groups)


def _moments(u: Array, n: Array) -> tuple[Array, Array]:
    """Variance and third cumulant of a sum of n independent influences (..., n), both unbiased in balanced data."""
    n = np.asarray(n, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        V = np.where(n > 1, n / (n - 1) * (u**2).sum(-1), np.nan)
        kappa = np.where(n > 2, n**2 / ((n - 1) * (n - 2)) * (u**3).sum(-1), 0.0)
    return V, kappa


def _ratio(kappa: Array, V: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.where(V > 0, kappa / V**1.5, 0.0))


def _within(V_both: Array, V_g: Array, V_k: Array, G: Array, K: int) -> Array:
    """V_e: with components a, b, e of group, kernel and rest, E V_both = (a + b + e)/GK, E V_g = a/G + e/GK, ..."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - 1 / K - 1 / G
        V_e = np.where(share > 0, (V_both - V_g / K - V_k / G) / share, 0.0)
    return np.clip(V_e, 0, np.minimum(V_g, V_k))


def _df(n: Array) -> Array:
    return np.maximum(np.asarray(n, float) - 1, 1)


def hall(T: Array, delta: Array) -> Array:
    """g(T) of Hall (1992), monotone in T."""
    return T + delta * T**2 / 3 + delta**2 * T**3 / 27 + delta / 6


def inverse_hall(x: Array, delta: Array) -> Array:
    """The T with g(T) = x: (3/δ) ((1 + δ (x - δ/6))^(1/3) - 1)."""
    small = np.abs(delta) < 1e-6
    d = np.where(small, 1.0, delta)
    return np.where(small, x, 3 / d * (np.cbrt(1 + d * (x - d / 6)) - 1))


def t_quantile(p: float | Array, df: float | Array) -> Array:
    """Quantiles of Student's t distribution with (fractional) degrees of freedom."""
    from scipy.special import stdtrit  # a tenth of a second to import: only where a table is made

    return np.asarray(stdtrit(df, p))


def t_tail(t: Array, df: Array) -> Array:
    """P(T > t) for Student's t distribution."""
    from scipy.special import stdtr

    return np.asarray(stdtr(df, -np.asarray(t)))


def _df_of(q: Array, level: float) -> Array:
    """Degrees of freedom whose two-sided quantile is q."""
    inverse, quantiles = _quantile_table(level)
    return 1 / np.interp(q, quantiles, inverse)


@cache
def _quantile_table(level: float) -> tuple[Array, Array]:
    """1/ν from 0 (nearly) to 1, and the quantiles: nearly linear in 1/ν, which makes interpolation precise."""
    inverse = np.linspace(1e-6, 1, 2001)
    return inverse, t_quantile((1 + level) / 2, 1 / inverse)
