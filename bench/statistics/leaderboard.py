"""Everything that a table of rows needs, in one call: intervals, comparisons with the best and with a baseline."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.statistics.clusters import Array, Design, influences
from bench.statistics.interval import MIN_GROUPS, MIN_KERNELS, called, estimate
from bench.statistics.multiplicity import benjamini_hochberg, holm
from bench.statistics.power import detectable, groups_needed
from bench.statistics.ranks import Rivals, compare_with_best, pairwise, rank_ranges
from bench.statistics.within import within_half_widths

#: adjusted p-values below it are called sure
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Delta:
    """A row less another on the cells that both have, in the metric's unit.

    Attributes:
        mean, low, high: with 95 % interval, not adjusted for multiplicity; NaN without interval.
        p: two-sided p-value of "no difference"; ``adjusted``: in its family (Holm); NaN without interval.
        better: True or False where the adjusted p-value is below ``SIGNIFICANT``; None where it is not.
        groups: groups that have both rows.
        detectable: least true difference that as many groups tell from 0 in 80 % of experiments.
        needed: groups that tell a difference as large as this one from 0 in 80 % of experiments; None unknown.
    """

    mean: float
    low: float
    high: float
    p: float
    adjusted: float
    better: bool | None
    groups: int
    detectable: float
    needed: int | None


@dataclass(frozen=True)
class Standing:
    """One row of a table.

    Attributes:
        mean, low, high: with 95 % interval of the mean over the population of groups (and kernels); NaN without.
        groups: of them; ``few`` marks fewer than 10.
        within: half width for comparing rows with each other (Cousineau-Morey): two rows differ when their gap
            exceeds about √2 of it. NaN without interval.
        maybe_best: not distinguishable from the best; None where rows are not ranked or there are no intervals.
        behind: simultaneous 95 % interval (low, high) for how much worse it is than the best of the other rows, in
            the metric's unit, negative where it is better (Hsu's constrained intervals); None likewise.
        needed: groups that would tell it from the leading row in 80 % of experiments; None for the leading row.
        delta: difference to the baseline; None for the baseline.
        ranks: (best, worst) that the data allow; None below 8 groups.
    """

    mean: float
    low: float
    high: float
    groups: int
    few: bool
    within: float = float("nan")
    maybe_best: bool | None = None
    behind: tuple[float, float] | None = None
    needed: int | None = None
    delta: Delta | None = None
    ranks: tuple[int, int] | None = None


@dataclass(frozen=True)
class Leaderboard:
    """Rows in the order given, and what the table as a whole rests on.

    Attributes:
        rows: one for each solver.
        order: indices of the rows, best first; rows without a value last. As given where rows are not ranked.
        groups, kernels, settings: numbers of them in the cells; kernels is None unless groups share kernels.
        compared: cells that every ranked row has: comparisons with the best and ranks rest on them.
        note: "" or why there are no intervals: "one kernel", "2 kernels", "2 groups".
        called: what the intervals may be called: "95 %", or "nominal 95 %" (see ``interval.SURE``).
    """

    rows: tuple[Standing, ...]
    order: tuple[int, ...]
    groups: int
    kernels: int | None
    settings: int
    compared: int
    note: str
    called: str


@dataclass(frozen=True)
class Pairwise:
    """All differences of row i less row j, (S, S) each: see ``Delta``; ``adjusted`` by Benjamini and Hochberg."""

    mean: Array
    low: Array
    high: Array
    p: Array
    adjusted: Array
    needed: Array


def leaderboard(
    values: Array,
    settings: Sequence[Any] | Array,
    groups: Sequence[Any] | Array,
    kernels: Sequence[Any] | Array | None = None,
    *,
    lower_is_better: bool | None,
    baseline: int | None = None,
    same_as: Sequence[Hashable] | None = None,
    simultaneous: bool = False,
) -> Leaderboard:
    """The statistics of a table.

    Args:
        values: (S, n) of a metric; NaN where a row has no value. Failed cells are the caller's to fill.
        settings, groups, kernels: (n,) names; see ``Design.of``.
        lower_is_better: None for a metric that ranks nothing: then means and intervals only.
        baseline: row that the others are compared with.
        same_as: (S,) names of what each row estimates; rows of one name count as one comparison. None: all differ.
        simultaneous: ranges of ranks that hold all together.
    """
    values = np.asarray(values, float)
    design = Design.of(settings, groups, kernels)
    means = estimate(influences(values, design))
    columns: dict[str, Sequence[Any]] = {}
    compared = 0
    if lower_is_better is not None:
        columns["delta"] = _deltas(values, design, baseline, same_as, lower_is_better)
        ranked, cells = common_cells(values)
        compared = int(cells.sum())
        loss = (values if lower_is_better else -values)[np.ix_(ranked, cells)]
        columns |= _comparisons(loss, design.select(cells), ranked, len(values), simultaneous)
    low, high = means.interval()
    rows = tuple(
        Standing(
            float(means.mean[s]), float(low[s]), float(high[s]), int(means.groups[s]), bool(means.few[s]),
            **{name: column[s] for name, column in columns.items()},
        )
        for s in range(len(values))
    )  # fmt: skip
    return Leaderboard(
        rows=rows,
        order=_order(means.mean, lower_is_better),
        groups=design.n_groups,
        kernels=design.n_kernels,
        settings=design.n_settings,
        compared=compared,
        note=reason(design),
        called=called(min((n for n in means.groups.tolist() if n), default=0), design.n_kernels),
    )


def pairwise_differences(
    values: Array,
    settings: Sequence[Any] | Array,
    groups: Sequence[Any] | Array,
    kernels: Sequence[Any] | Array | None = None,
    *,
    same_as: Sequence[Hashable] | None = None,
) -> Pairwise:
    """Differences of all pairs of S rows on the cells that all rows with values have; NaN where a row has none.

    Rows of one ``same_as`` are one member of the family: a pair of estimators counts once however many implement
    them, and two that implement one estimator have a difference, but no adjusted p-value.
    """
    values = np.asarray(values, float)
    ranked, cells = common_cells(values)
    design = Design.of(settings, groups, kernels).select(cells)
    pairs = pairwise(influences(values[np.ix_(ranked, cells)], design))
    low, high = pairs.interval()
    p, adjusted = pairs.p_value(), np.full((len(ranked), len(ranked)), np.nan)
    np.fill_diagonal(p, np.nan)
    upper = np.triu_indices(len(ranked), 1)
    names = ranked.tolist() if same_as is None else [same_as[s] for s in ranked.tolist()]
    members = [frozenset((names[i], names[j])) for i, j in zip(*upper, strict=True)]
    tested = np.array([len(m) > 1 for m in members], bool)
    adjusted[upper] = benjamini_hochberg(np.where(tested, p[upper], np.nan), members)
    adjusted.T[upper] = adjusted[upper]
    place = np.ix_(ranked, ranked)
    out = []
    for part in (pairs.mean, low, high, p, adjusted, groups_needed(pairs)):
        matrix = np.full((len(values), len(values)), np.nan)
        matrix[place] = part
        out.append(matrix)
    return Pairwise(*out)


def common_cells(values: Array) -> tuple[Array, Array]:
    """Rows with any finite value, as indices, and the cells (n,) in which all of those are finite, as booleans."""
    finite = np.isfinite(values)
    ranked = np.flatnonzero(finite.any(1))
    return ranked, np.logical_and(finite[ranked].all(0), len(ranked) > 0)


def _comparisons(loss: Array, design: Design, ranked: Array, S: int, simultaneous: bool) -> dict[str, list[Any]]:
    """Columns (S,) of a table that rest on the cells common to the ``ranked`` rows; ``loss`` is theirs alone."""
    columns: dict[str, list[Any]] = {
        "within": [float("nan")] * S, "maybe_best": [None] * S, "behind": [None] * S, "needed": [None] * S,
        "ranks": [None] * S,
    }  # fmt: skip
    if not loss.size:
        return columns
    parts = influences(loss, design)
    rivals = Rivals(parts)
    best, ranges = compare_with_best(rivals), rank_ranges(rivals, simultaneous=simultaneous)
    leader = int(np.argmin(parts.mean))
    needed = groups_needed(rivals.pairs)[:, leader]
    for i, (s, within) in enumerate(zip(ranked.tolist(), within_half_widths(parts).tolist(), strict=True)):
        columns["within"][s] = within
        columns["ranks"][s] = ranges[i] if ranges else None
        columns["needed"][s] = None if i == leader else _count(needed[i])
        if best is not None:
            columns["maybe_best"][s] = bool(best.maybe[i])
            columns["behind"][s] = float(best.low[i]), float(best.high[i])
    return columns


def _deltas(
    values: Array, design: Design, baseline: int | None, same_as: Sequence[Hashable] | None, lower_is_better: bool
) -> list[Delta | None]:
    """Differences to the baseline row, their p-values adjusted together; None for the baseline itself."""
    if baseline is None:
        return [None] * len(values)
    others = np.array([s for s in range(len(values)) if s != baseline], int)
    both = np.isfinite(values[others]) & np.isfinite(values[baseline])
    d = np.where(both, np.where(both, values[others], 0) - np.where(both, values[baseline], 0), np.nan)
    difference = estimate(influences(d, design))
    p = difference.p_value()
    adjusted = holm(p, None if same_as is None else [same_as[s] for s in others.tolist()])
    (low, high), least, needed = difference.interval(), detectable(difference), groups_needed(difference)
    out: list[Delta | None] = [None] * len(values)
    for i, s in enumerate(others.tolist()):
        mean, sure = float(difference.mean[i]), bool(adjusted[i] < SIGNIFICANT)
        out[s] = Delta(
            mean, float(low[i]), float(high[i]), float(p[i]), float(adjusted[i]),
            (mean < 0) == lower_is_better if sure else None,
            int(difference.groups[i]), float(least[i]), _count(needed[i]),
        )  # fmt: skip
    return out


def _order(means: Array, lower_is_better: bool | None) -> tuple[int, ...]:
    if lower_is_better is None:
        return tuple(range(len(means)))
    loss = means if lower_is_better else -means
    return tuple(np.argsort(np.where(np.isnan(loss), np.inf, loss), kind="stable").tolist())


def _count(needed: float) -> int | None:
    return int(needed) if np.isfinite(needed) else None


def reason(design: Design) -> str:
    """Why a design allows no interval; "" if it does."""
    if design.n_kernels is not None and design.n_kernels < MIN_KERNELS:
        return "one kernel" if design.n_kernels == 1 else f"{design.n_kernels} kernels"
    n = design.n_groups
    return f"{n} group{'s' if n != 1 else ''}" if n < MIN_GROUPS else ""
