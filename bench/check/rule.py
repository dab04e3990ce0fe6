"""When a difference is a regression.

Two runs of the same code on the same measurements differ by rounding alone. How much that is depends on precision. On
the ci grid in float64, PSNR agrees to 1e-10 dB between processors with and without AVX-512, except where an iteration
stops at a tolerance or amplifies rounding (diffpir 1.3e-4, reddiff 5.9e-5, pyproximal 5e-5 dB). In float32 it agrees
to 1e-5 dB for deterministic solvers, but the chaos of a long sampling chain can move single images by 0.5 dB. So:

- **exact**: float64, or float32 of a deterministic solver on the same machine or on processors. A group fails
  when its mean loss exceeds the tolerance, which lies above rounding: no chance in the difference is to be tested.
- **noisy**: everything else. A group fails when its mean loss exceeds the tolerance *and* a one-sided paired
  t-test, clustered by photograph (patient, sequence) and corrected by Holm over all groups and metrics, rejects "the
  loss is within the tolerance". A second test pools all settings of a solver, where one group holds too few images. A
  single photograph allows no test: then the tolerance alone decides, for what cannot be tested must not pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.check.baseline import measurement
from bench.results.folder import Row
from bench.scoring.registry import describe
from bench.statistics.clusters import Design, influences
from bench.statistics.interval import estimate
from bench.statistics.multiplicity import holm

#: Chance of a false alarm in a whole check of unchanged code, where chance enters at all.
ALPHA = 0.01

Pair = tuple[Row, Row]


@dataclass(frozen=True)
class Comparison:
    """One metric of one solver on one setting (or on all of them, pooled).

    Attributes:
        setting: its name, or None when pooled.
        before, now: means over the pairs.
        loss: mean of ``losses`` over photographs, positive where it got worse; ``ends``: of its interval, NaN when
            exact and below 3 photographs (see ``bench.statistics.interval``).
        tolerance: what is allowed.
        exact: whether chance has no part in the difference.
        p: of "the loss is within the tolerance", corrected by Holm; None when exact.
        worst: the image that lost most, and how much.
        broken: pairs whose value cannot be compared: NaN or missing now, a number before.
    """

    solver: str
    setting: str | None
    metric: str
    before: float
    now: float
    loss: float
    ends: tuple[float, float]
    tolerance: float
    exact: bool
    p: float | None
    worst: tuple[str, float]
    broken: int
    n: int

    @property
    def regressed(self) -> bool:
        """Whether the gate closes."""
        if self.broken:
            return True
        return self.loss > self.tolerance and (self.exact or (self.p is not None and self.p < ALPHA))

    @property
    def improved(self) -> bool:
        """Whether it got better by more than the tolerance."""
        return not self.broken and self.loss < -self.tolerance


def compare(
    pairs: Mapping[tuple[str, str], Sequence[Pair]],
    metrics: Sequence[str],
    *,
    same_machine: bool,
    overrides: Mapping[str, float] | None = None,
) -> list[Comparison]:
    """Every group and metric, then every solver pooled over its settings; p-values corrected together.

    Args:
        pairs: (solver, setting) -> (row before, row now), both ok.
        same_machine: whether both ran on the same kind of processor with the same libraries.
        overrides: metric -> tolerance instead of the table's.
    """
    comparisons = []
    for metric in metrics:
        for (solver, setting), rows in pairs.items():
            comparisons += _compared(solver, setting, metric, rows, same_machine, overrides or {})
        for solver in dict.fromkeys(s for s, _ in pairs):
            pooled = [p for (s, _), rows in pairs.items() if s == solver for p in rows]
            if len({s for n, s in pairs if n == solver}) > 1:
                comparisons += _compared(solver, None, metric, pooled, same_machine, overrides or {})
    adjusted = holm([math.nan if c.p is None else c.p for c in comparisons])
    return [c if c.p is None else replace(c, p=float(a)) for c, a in zip(comparisons, adjusted, strict=True)]


def tolerance(metric: str, row: Row, same_machine: bool) -> tuple[float, bool]:
    """(tolerated mean loss, whether a difference is exact) for rows of this type and solver."""
    double, single, chaotic = describe(metric).tolerance
    if row["dtype"] == "float64" and row["device"] == "cpu":
        return double, True
    if not row["stochastic"]:
        # 1e-5 dB between processors; a GPU's reduced precision was not measured.
        return single, same_machine or row["device"] == "cpu"
    return (single, False) if same_machine else (chaotic, False)


def losses(metric: str, rows: Sequence[Pair]) -> np.ndarray:
    """(n,) what each pair lost: positive where it got worse, in the metric's unit.

    NaN where there is nothing to compare with; infinite where a number has gone: NaN or missing now, or an infinite
    PSNR that is finite now. Of a metric that should hit a target it is how much further from that it is.
    """
    before, now = (np.array([_value(p[i], metric) for p in rows]) for i in (0, 1))
    known = np.isfinite(before) & np.isfinite(now)
    loss = np.where(~known & ~np.isnan(before) & (before != now), np.inf, np.nan)
    loss[known] = describe(metric).loss(now[known]) - describe(metric).loss(before[known])
    return loss


def _compared(
    solver: str, setting: str | None, metric: str, rows: Sequence[Pair], same: bool, overrides: Mapping[str, float]
) -> list[Comparison]:
    loss = losses(metric, rows)
    known, broken = np.isfinite(loss), int(np.isinf(loss).sum())
    if not known.any() and not broken:
        return []
    (allowed, exact), (_, elsewhere) = (tolerance(metric, r, same) for r in reversed(rows[0]))
    exact = exact and elsewhere
    before, now = (np.array([_value(p[i], metric) for p in rows])[known] for i in (0, 1))
    allowed = overrides.get(metric, allowed) * _scale(metric, before)
    measured = [measurement(p[1]) for p in rows]
    scenes = np.array([m.scene for m in measured])[known]
    photographs = np.array([cluster(p[1]) for p in rows])[known]
    mean, ends, p = _tested(loss[known], photographs, None if exact else allowed)
    names = scenes if len({m.dataset for m in measured}) > 1 else np.array([m.image for m in measured])[known]
    worst = int(np.argmax(loss[known])) if known.any() else None
    return [
        Comparison(
            solver=solver,
            setting=setting,
            metric=metric,
            before=float(before.mean()) if len(before) else math.nan,
            now=float(now.mean()) if len(now) else math.nan,
            loss=mean,
            ends=ends,
            tolerance=allowed,
            exact=exact,
            p=p,
            worst=("", math.nan) if worst is None else (str(names[worst]), float(loss[known][worst])),
            broken=broken,
            n=int(known.sum()),
        )
    ]


def cluster(row: Row) -> str:
    """The photograph (patient, sequence) that a row's picture is from: its group, else the picture itself."""
    return str(row.get("group") or measurement(row).scene)


def _value(row: Row, metric: str) -> float:
    value = row.get(f"m_{metric}")
    return math.nan if value is None else float(value)


def _scale(metric: str, before: np.ndarray) -> float:
    """What a tolerance is multiplied by: the mean distance from a target where that is above 1, for rounding grows
    with it. Poor samplers reach a χ² of 1e5.
    """
    m = describe(metric)
    return max(1.0, float(m.loss(before).mean())) if m.better == "one" and len(before) else 1.0


def _tested(
    loss: np.ndarray, photographs: np.ndarray, allowed: float | None
) -> tuple[float, tuple[float, float], float | None]:
    """Mean over photographs, ends of its interval, one-sided p of "the mean is at most ``allowed``".

    ``allowed`` None asks for the mean alone: NaN and None stand for the others.
    """
    none = (math.nan, math.nan)
    if len(loss) == 0:
        return math.nan, none, None if allowed is None else 1.0
    parts = influences(loss[None], Design.of(np.zeros(len(loss)), photographs))
    mean, n = float(parts.mean[0]), int(parts.groups[0])
    if allowed is None:
        return mean, none, None
    low, high = estimate(parts).interval()
    ends = float(low[0]), float(high[0])
    # Student's: the tolerance, not the interval, keeps rare large differences from closing the gate
    se = math.sqrt(n / (n - 1) * float((parts.group**2).sum())) if n > 1 else 0.0
    if se == 0:
        return mean, ends, float(mean <= allowed)
    from scipy.special import stdtr  # a third of a second to import: only where chance has a part

    return mean, ends, float(stdtr(n - 1, -(mean - allowed) / se))
