"""Error bars that leave out what all rows share: the level of each image."""

from __future__ import annotations

import numpy as np

from bench.statistics.clusters import Array, Influence
from bench.statistics.interval import LEVEL, estimate, t_quantile


def within_half_widths(parts: Influence, level: float = LEVEL) -> Array:
    """(S,) half widths of Cousineau (2005) with Morey's factor (Tutor. Quant. Methods Psychol. 4, 2008).

    Each group's mean over all rows is taken out of its influences, which are scaled by √(S / (S - 1)). Where
    differences scatter alike, two rows differ significantly when their gap exceeds √2 half widths: a bar for
    comparing rows with each other, and no statement about the level of one: Student's, as published, without the
    correction for skewed laws. NaN for one row, and without interval.

    Args:
        parts: influences of S rows on the same cells.
        level: of the half widths.
    """
    S = len(parts.mean)
    if S < 2:
        return np.full(S, np.nan)
    factor = np.sqrt(S / (S - 1))
    centred = [None if u is None else (u - u.mean(0)) * factor for u in (parts.group, parts.kernel, parts.both)]
    assert centred[0] is not None
    bars = estimate(Influence(parts.mean, centred[0], parts.groups, centred[1], centred[2]))
    return t_quantile((1 + level) / 2, bars.df) * bars.se
