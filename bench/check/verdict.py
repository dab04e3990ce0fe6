"""A run against a baseline: pair the cells, refuse what must not be compared, collect what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.check.baseline import MACHINE, Record, measurement, same_protocol
from bench.check.rule import Comparison, Pair, compare
from bench.errors import ResultError
from bench.results.folder import Row

#: What a check may find.
REASONS = ("metric", "failure", "missing", "cost", "time")
#: What fails a check by default: seconds depend on the machine, and cost is meant to change at times.
FATAL = ("metric", "failure", "missing")

_COUNTS = ("n_A", "n_At", "nfe_forward", "nfe_backward")
#: A solver whose median time grew by this factor is slower.
SLOWER = 1.5


@dataclass(frozen=True)
class Verdict:
    """What a check reports.

    Attributes:
        pairs: (solver, setting) -> rows before and now, both ok.
        fatal: which findings close the gate.
    """

    before: Record
    now: Record
    same_machine: bool
    cells: int
    pairs: dict[tuple[str, str], list[Pair]]
    comparisons: list[Comparison]
    failing: list[Row]
    fixed: list[Row]
    missing: list[Row]
    new: list[Row]
    dearer: list[tuple[str, str, int, int]]
    slower: list[tuple[str, float]]
    fatal: tuple[str, ...]

    @property
    def regressed(self) -> list[Comparison]:
        """Groups that got worse, the worst first."""
        return sorted((c for c in self.comparisons if c.regressed), key=_severity, reverse=True)

    @property
    def improved(self) -> list[Comparison]:
        """Groups that got better by more than the tolerance."""
        return [c for c in self.comparisons if c.improved and c.setting is not None]

    @property
    def reasons(self) -> dict[str, int]:
        """How many findings of each kind there are, fatal or not."""
        counts = {
            "metric": len(self.regressed),
            "failure": len(self.failing),
            "missing": len(self.missing),
            "cost": len(self.dearer),
            "time": len(self.slower),
        }
        return {k: v for k, v in counts.items() if v}

    @property
    def new_failing(self) -> list[Row]:
        """Cells that failed and have no baseline: no regression, but the run is not whole."""
        return [r for r in self.new if r["status"] != "ok"]

    @property
    def passed(self) -> bool:
        """Whether no finding is fatal."""
        return not any(r in self.fatal for r in self.reasons)

    @property
    def exit_code(self) -> int:
        """0 nothing got worse, 1 something did, 4 nothing did but a cell without a baseline failed."""
        if not self.passed:
            return 1
        return 4 if self.new_failing and "failure" in self.fatal else 0


def check(
    now: Record,
    before: Record,
    *,
    fatal: Sequence[str] = FATAL,
    tolerances: Mapping[str, float] | None = None,
) -> Verdict:
    """Compare. Raises ResultError when nothing, or not the same thing, was measured."""
    old, new = _by_cell(before.rows), _by_cell(now.rows)
    shared = [k for k in old if k in new]
    if not shared:
        raise ResultError("not comparable: the run and the baseline have no cell in common (other solvers or grid?)")
    same_protocol(before, now)
    pairs = [(old[k], new[k]) for k in shared]
    _refuse(pairs)
    same = all(before.environment.get(n) == now.environment.get(n) for n in MACHINE)
    good: dict[tuple[str, str], list[Pair]] = {}
    for a, b in pairs:
        if a["status"] == b["status"] == "ok":
            good.setdefault((b["solver"], b["setting"]), []).append((a, b))
    metrics = [m for m in before.metrics if m in now.metrics]
    if absent := [m for m in before.metrics if m not in now.metrics]:
        raise ResultError(f"not comparable: the run lacks the baseline's metrics {', '.join(absent)}")
    return Verdict(
        before=before,
        now=now,
        same_machine=same,
        cells=len(shared),
        pairs=good,
        comparisons=compare(good, metrics, same_machine=same, overrides=tolerances),
        failing=[b for a, b in pairs if a["status"] == "ok" != b["status"]],
        fixed=[b for a, b in pairs if a["status"] != "ok" == b["status"]],
        missing=[old[k] for k in old if k not in new],
        new=[new[k] for k in new if k not in old],
        dearer=_dearer(good),
        slower=_slower(good),
        fatal=tuple(fatal),
    )


def _by_cell(rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    return {(r["solver"], measurement(r)): r for r in rows}


def _refuse(pairs: Sequence[Pair]) -> None:
    if open_ends := {b["solver"]: b["unverified"] for _, b in pairs if b.get("unverified")}:
        listed = "; ".join(f"{solver} ({reason})" for solver, reason in open_ends.items())
        raise ResultError(
            "not comparable: the code behind some cells cannot be followed, so that their numbers may be those of "
            f"older code: {listed}. A module named in a parameter that the plug-in lists in `imports` is followed"
        )
    good = [(a, b) for a, b in pairs if a["status"] == b["status"] == "ok"]  # a failure may have come before the data
    for what, name in (("measurements", "y_sha"), ("weights", "weights_sha"), ("number type", "dtype")):
        unproven = name == "y_sha"  # equal is not enough: two unknown measurements are not one
        differ = [(a, b) for a, b in good if a.get(name) != b.get(name) or (unproven and not b.get(name))]
        if differ:
            a, b = differ[0]
            raise ResultError(
                f"not comparable: other {what} than the baseline's in {len(differ)} of {len(good)} cells, the first "
                f"is {b['solver']} on {b['setting']}, {b['image']}: {str(b[name])[:12]} now, {str(a[name])[:12]} "
                "before. If that is meant, write a new baseline: bench baseline update RUN --all --reason …"
            )


def _severity(c: Comparison) -> float:
    """What is no number any more comes first, then losses in units of what is allowed."""
    if c.broken:
        return float("inf")
    return c.loss / c.tolerance if c.tolerance else float("inf")


def _dearer(groups: Mapping[tuple[str, str], Sequence[Pair]]) -> list[tuple[str, str, int, int]]:
    """(solver, what is counted, before, now) where a solver calls its operator or network more often."""
    rises: dict[tuple[str, str], tuple[int, int]] = {}
    for (solver, _), rows in groups.items():
        for name in _COUNTS:
            before, now = (max(p[i].get(name) or 0 for p in rows) for i in (0, 1))
            if now > before:
                rises[solver, name] = max(rises.get((solver, name), (0, 0)), (before, now), key=lambda v: v[1] - v[0])
    return [(s, n, a, b) for (s, n), (a, b) in rises.items()]


def _slower(groups: Mapping[tuple[str, str], Sequence[Pair]]) -> list[tuple[str, float]]:
    """(solver, median ratio of seconds) beyond ``SLOWER``."""
    ratios: dict[str, list[float]] = {}
    for (solver, _), rows in groups.items():
        ratios.setdefault(solver, []).extend(b["seconds"] / a["seconds"] for a, b in rows if a.get("seconds"))
    medians = {s: float(np.median(r)) for s, r in ratios.items() if r}
    return [(s, m) for s, m in medians.items() if m > SLOWER]
