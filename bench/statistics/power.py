"""How many groups it takes to tell two rows apart."""

from __future__ import annotations

import numpy as np

from bench.statistics.clusters import Array
from bench.statistics.interval import LEVEL, Estimate, t_quantile

POWER = 0.8


def detectable(difference: Estimate, level: float = LEVEL, power: float = POWER) -> Array:
    """The least true difference that as many groups (and kernels) tell from 0 with that power: (t_ν + t_ν') se."""
    return (t_quantile((1 + level) / 2, difference.df) + t_quantile(power, difference.df)) * difference.se


def groups_needed(difference: Estimate, level: float = LEVEL, power: float = POWER) -> Array:
    """How many groups tell a difference as large as the observed one from 0 with that power; inf for no difference.

    n = (z_{(1+level)/2} + z_power)² σ² / d² + z²_{(1+level)/2} / 2 rounded up (Guenther, Am. Statist. 35, 1981: the
    last term makes up for σ being estimated), σ² = G se². In a crossed design the kernels grow with the groups. The
    observed difference is itself uncertain, and a rough guide.
    """
    z, z_power = (float(t_quantile(p, np.inf)) for p in ((1 + level) / 2, power))
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.ceil((z + z_power) ** 2 * difference.groups * difference.se**2 / difference.mean**2 + z**2 / 2)
    return np.where(difference.mean == 0, np.where(np.isnan(difference.se), np.nan, np.inf), n)
