"""Many p-values at once: Holm within a family, Benjamini and Hochberg for a matrix of pairs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

Array = np.ndarray


def holm(pvalues: Sequence[float] | Array, members: Sequence[Hashable] | None = None) -> Array:
    """Holm's step-down adjusted p-values (Scand. J. Statist. 6, 1979); NaN stays NaN and is not counted.

    Sorted p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    Args:
        pvalues: (n,).
        members: (n,) names; hypotheses of one name (two implementations of one estimator) count once: m is the number
            of names, and j that of the names met so far. Names are met in the order of their least p-value.
    """
    p = np.asarray(pvalues, float)
    names = list(range(len(p))) if members is None else list(members)
    order = [i for i in np.argsort(p, kind="stable").tolist() if not np.isnan(p[i])]
    place = {name: j for j, name in enumerate(dict.fromkeys(names[i] for i in order))}
    adjusted, floor = np.full(p.shape, np.nan), 0.0
    for i in order:
        floor = max(floor, min(1.0, (len(place) - place[names[i]]) * float(p[i])))
        adjusted[i] = floor
    return adjusted


def benjamini_hochberg(pvalues: Sequence[float] | Array, members: Sequence[Hashable] | None = None) -> Array:
    """Adjusted p-values (J. R. Statist. Soc. B 57, 1995): those below α have false discovery rate α.

    Adjusted p_(i) = min over j >= i of min(1, m p_(j) / j); NaN stays NaN and is not counted.

    Args:
        pvalues: (n,).
        members: (n,) names, as of ``holm``: hypotheses of one name count once, in m as in j.
    """
    p = np.asarray(pvalues, float)
    names = list(range(len(p))) if members is None else list(members)
    order = [i for i in np.argsort(p, kind="stable").tolist() if not np.isnan(p[i])]
    place = {name: j for j, name in enumerate(dict.fromkeys(names[i] for i in order), 1)}
    scaled = np.array([p[i] * len(place) / place[names[i]] for i in order])
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted
