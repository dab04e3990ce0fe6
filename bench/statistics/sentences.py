"""Two or three plain sentences that head a table, and claim no more than the tests behind them carry.

Of experiments without any true difference at most one in twenty makes these sentences claim one. A third of that
twentieth goes to which rows are behind the best (all pairs at once: Hsu's comparisons may exclude some of several
equal rows), a third to who is best setting by setting (divided among the settings), a third to who beats the baseline
(Holm; intervals after Bonferroni, so that the row on top may be quoted although its result chose it).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.statistics.clusters import Array, Design, influences
from bench.statistics.interval import FEW, LEVEL, estimate
from bench.statistics.leaderboard import common_cells, reason
from bench.statistics.multiplicity import holm
from bench.statistics.power import groups_needed
from bench.statistics.ranks import Rivals, surely_worse

#: share of the error that each of the three kinds of claim may make
THIRD = (1 - LEVEL) / 3
#: of the simulated quantiles: more than a table's, since the levels are nearer to 1
DRAWS = 4000
#: rows that a sentence names before it counts the rest
NAMED = 3


@dataclass(frozen=True)
class Wording:
    """How a table's numbers and things are called.

    Attributes:
        unit: of the metric, "" for none.
        digits: decimals.
        groups: plural of what a group is: photographs, patients, sequences.
    """

    unit: str = ""
    digits: int = 2
    groups: str = "photographs"

    def amount(self, value: float, ends: tuple[float, float]) -> str:
        """As in "0.80 dB (0.41 to 1.19)"; all three are made positive together."""
        low, high = sorted(abs(e) for e in ends)
        unit = f" {self.unit}" if self.unit else ""
        return f"{abs(value):.{self.digits}f}{unit} ({low:.{self.digits}f} to {high:.{self.digits}f})"


def sentences(
    values: Array,
    settings: Sequence[Any] | Array,
    groups: Sequence[Any] | Array,
    kernels: Sequence[Any] | Array | None = None,
    *,
    names: Sequence[str],
    lower_is_better: bool,
    baseline: int | None = None,
    same_as: Sequence[Hashable] | None = None,
    wording: Wording | None = None,
) -> list[str]:
    """What the tests of a table say, in words.

    Args:
        values, settings, groups, kernels, lower_is_better, baseline, same_as: as of ``leaderboard``. Of rows that
            estimate the same the first one with values speaks for all (for the baseline's, the baseline).
        names: (S,) of the rows.
        wording: how things are called.

    Returns:
        Sentences, the most important first; at least one.
    """
    say = wording or Wording()
    loss = np.asarray(values, float) * (1 if lower_is_better else -1)
    rows = _speakers(loss, baseline, same_as)
    if len(rows) < 2:
        return ["There are no two rows to compare."]
    ranked, cells = common_cells(loss[rows])
    assert len(ranked) == len(rows)
    design = Design.of(settings, groups, kernels).select(cells)
    if not cells.any():
        return ["No cell has a value of every row: the rows cannot be compared."]
    loss, labels = loss[rows][:, cells], [names[r] for r in rows]
    if note := reason(design):
        return [f"With {note} these numbers allow no statement beyond the very cells that were measured."]
    out = [_best(loss, design, labels, say), _each_setting(loss, design, labels)]
    if baseline in rows:
        out.append(_against(rows.index(baseline), loss, design, labels, say))
    return [s for s in (*out, _caution(design, say)) if s]


def _speakers(loss: Array, baseline: int | None, same_as: Sequence[Hashable] | None) -> list[int]:
    """Rows with values, one for each estimator, in their order."""
    order = [s for s in range(len(loss)) if np.isfinite(loss[s]).any()]
    first: dict[Hashable, int] = {}
    for s in sorted(order, key=lambda s: s != baseline):
        first.setdefault(s if same_as is None else same_as[s], s)
    return sorted(first.values())


def _best(loss: Array, design: Design, names: list[str], say: Wording) -> str:
    rivals = Rivals(influences(loss, design), DRAWS)
    behind = np.asarray(surely_worse(rivals, 1 - THIRD)[0].any(1))
    order = np.argsort(rivals.parts.mean, kind="stable")
    first, second = order[:2].tolist()
    needed = groups_needed(rivals.pairs)[second, first]
    more = ""
    if not behind[second] and np.isfinite(needed) and needed > design.n_groups:
        two = f"{names[first]} from {names[second]}, the two best,"
        more = f" To tell {two} would take about {needed:,.0f} {say.groups}."
    maybe = [names[i] for i in order.tolist() if not behind[i]]
    where = f"over {design.n_groups} {say.groups}"
    if design.n_kernels:
        where += f" and {design.n_kernels} kernels that they share"
    if len(maybe) == 1:
        return f"{maybe[0]} is the best of {len(names)} rows, {where}."
    if len(maybe) == len(names):
        return f"No row is distinguishable from the best of the {len(names)}, {where}.{more}"
    rest = "1 row is" if behind.sum() == 1 else f"{behind.sum()} rows are"
    return f"{_listed(maybe)} cannot be distinguished from the best, {where}; {rest} behind."


def _each_setting(loss: Array, design: Design, names: list[str]) -> str:
    """Which row is surely better than the others, in how many settings; "" for one setting."""
    S = design.n_settings
    wins: dict[str, int] = {}
    for s in range(S if S > 1 else 0):
        here = design.settings == s
        rivals = Rivals(influences(loss[:, here], design.select(here)), DRAWS)
        behind = surely_worse(rivals, 1 - THIRD / S)[0].any(1)
        if behind.sum() == len(names) - 1:
            winner = names[int(np.argmin(behind))]
            wins[winner] = wins.get(winner, 0) + 1
    if not wins:
        return f"In none of the {S} settings does one row stand out." if S > 1 else ""
    each = [f"{n} in {k}" for n, k in sorted(wins.items(), key=lambda w: -w[1])]
    undecided = S - sum(wins.values())
    rest = f"; in {undecided} no row stands out" if undecided else ""
    return f"Of {S} settings, the best row is {_listed(each)}{rest}."


def _against(b: int, loss: Array, design: Design, names: list[str], say: Wording) -> str:
    """The comparison with the baseline, row b."""
    others = np.array([i for i in range(len(names)) if i != b])
    difference = estimate(influences(loss[others] - loss[b], design))
    sure = holm(difference.p_value()) < THIRD
    low, high = difference.interval(1 - THIRD / len(others))
    better, worse = sure & (difference.mean < 0), sure & (difference.mean > 0)
    open_ = len(others) - int(better.sum()) - int(worse.sum())
    parts = []
    if better.any():
        i = int(np.argmin(np.where(better, difference.mean, np.inf)))
        amount = say.amount(float(difference.mean[i]), (float(low[i]), float(high[i])))
        many = f"{better.sum()} rows are better, the most " if better.sum() > 1 else ""
        parts.append(f"{many}{names[others[i]]}{'' if many else ' is better'} by {amount}")
    if worse.any():
        parts.append(
            f"{names[others[int(np.argmax(worse))]]} is worse" if worse.sum() == 1 else f"{worse.sum()} are worse"
        )
    if open_ and parts:
        parts.append(f"{open_} cannot be distinguished from it")
    if not parts:
        return f"No row can be distinguished from the baseline {names[b]}."
    return f"Against the baseline {names[b]}: {', '.join(parts)}."


def _caution(design: Design, say: Wording) -> str:
    if design.n_groups >= FEW:
        return ""
    return f"There are only {design.n_groups} {say.groups}: read every interval with care."


def _listed(names: Sequence[str]) -> str:
    """As in "a, b and 4 more"."""
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
