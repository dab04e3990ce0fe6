"""Choosing among candidates: on the validation split per group of settings, or per test image as an oracle.

Nothing of a search is stored: it is replayed from the outcomes of its cells, asks for those that are missing, and
goes on when they are there. So it resumes after a kill like any other cell, and its choice depends on no order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.grid.cells import Cell
from bench.grid.planner import Planner, Setting
from bench.grid.schema import SolverEntry
from bench.grid.search import Candidate
from bench.results.outcomes import Outcome
from bench.scoring.registry import describe

#: of cells those that are still to be solved
Missing = Callable[[Iterable[Cell]], list[Cell]]


@dataclass(frozen=True)
class Trial:
    """A candidate, and the cells that judge it."""

    candidate: Candidate
    cells: list[Cell]


@dataclass(frozen=True)
class Choice:
    """What was chosen for a group, and what it was chosen from.

    Attributes:
        metric: what it was judged by.
        chosen: the best candidate, or None if every candidate failed on some image.
        tried: candidate and score, in the order tried: the mean loss over the cells, infinite where one failed.
        at_edge: tuned parameters whose best value is the least or the largest of at least three tried, and no bound
            of the parameter.
        seconds: solve time that the search took.
    """

    label: str
    settings: list[str]
    metric: str
    chosen: Candidate | None
    tried: list[tuple[Candidate, float]]
    at_edge: list[str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for run.json; scores are turned back into the metric's own direction."""
        sign = -1 if describe(self.metric).better == "higher" else 1
        tried = [{"candidate": c, "score": sign * s if math.isfinite(s) else None} for c, s in self.tried]
        return {
            "solver": self.label,
            "settings": self.settings,
            "metric": self.metric,
            "chosen": self.chosen,
            "tried": tried,
            "at_edge": self.at_edge,
            "seconds": self.seconds,
        }


class Search:
    """One search, as far as outcomes carry it.

    Args:
        entry: whose parameters are tuned.
        settings: those that share the choice.
        metric: what it is judged by.
        plan: the cells that judge a candidate.
    """

    def __init__(
        self,
        entry: SolverEntry,
        settings: Sequence[Setting],
        metric: str,
        plan: Callable[[Candidate], Iterable[Cell]],
    ):
        assert entry.tuning is not None
        self.entry, self.settings, self.metric = entry, settings, metric
        self._tuning, self._plan = entry.tuning, plan
        self._tried: list[tuple[Trial, float]] = []
        self._steps = self._tuning.steps()
        self._asked: list[Trial] = self._trials(next(self._steps))

    def _trials(self, candidates: Iterable[Candidate]) -> list[Trial]:
        return [Trial(c, list(self._plan(c))) for c in candidates]

    def advance(self, outcomes: Mapping[str, Outcome], missing: Missing) -> list[Cell]:
        """Go as far as the outcomes carry; returns the cells that it waits for, none once it is over."""
        while self._asked:
            if waiting := missing(c for trial in self._asked for c in trial.cells):
                return waiting
            losses = [_loss(trial.cells, outcomes, self.metric) for trial in self._asked]
            self._tried += zip(self._asked, losses, strict=True)
            try:
                self._asked = self._trials(self._steps.send(losses))
            except StopIteration:
                self._asked = []
        return []

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to try."""
        return not self._asked

    @property
    def cells(self) -> list[Cell]:
        """All that it asked for so far."""
        return [c for trial in [*(t for t, _ in self._tried), *self._asked] for c in trial.cells]

    @property
    def left(self) -> int:
        """Cells that it may yet ask for, at most."""
        if not self._asked:
            return 0
        trials = self._tuning.most - len(self._tried) - len(self._asked)
        return trials * len(self._asked[0].cells)

    @property
    def best(self) -> tuple[Trial, float]:
        """The trial with the smallest mean loss, the first of equals, and that loss."""
        return min(self._tried, key=lambda t: t[1])

    def choice(self, outcomes: Mapping[str, Outcome]) -> Choice:
        """What it came to, once it is over."""
        tried = [(trial.candidate, loss) for trial, loss in self._tried]
        trial, loss = self.best
        chosen = trial.candidate if loss < math.inf else None
        seconds = sum(outcomes[c.key].get("seconds") or 0.0 for c in self.cells)
        edges = [n for n in chosen or {} if self._at_edge(n, trial.candidate[n])]
        return Choice(self.entry.label, [s.id for s in self.settings], self.metric, chosen, tried, edges, seconds)

    def _at_edge(self, name: str, best: Any) -> bool:
        values = {trial.candidate[name] for trial, _ in self._tried}
        if len(values) < 3 or not all(isinstance(v, int | float) for v in values):
            return False
        return best in (min(values), max(values)) and not self._tuning.is_bound(name, best)


def searches_of(planner: Planner, entry: SolverEntry) -> list[Search]:
    """The searches that a solver needs, none if it is not tuned: one per group of settings; of an oracle one per
    measurement.
    """
    if entry.tuning is None:
        return []
    start = partial(Search, entry, metric=planner.grid.judge(entry))
    if entry.tuning.oracle:
        return [
            start([s], plan=partial(planner.cells, "oracle", entry, [s], tuning="oracle", shot=shot.key))
            for group in planner.groups(entry)
            for s in group
            for shot, _ in planner.shots(s, "test")
        ]
    return [
        start(settings, plan=partial(planner.cells, "val", entry, _without_mismatch(settings)))
        for settings in planner.groups(entry)
    ]


def _without_mismatch(settings: list[Setting]) -> list[Setting]:
    """Of settings that differ in mismatch alone, the first: one tunes on what one believes, not on one's errors."""
    first: dict[tuple[str, str], Setting] = {}
    for s in settings:
        first.setdefault((s.blur.id, s.noise.id), s)
    return list(first.values())


def _loss(cells: Sequence[Cell], outcomes: Mapping[str, Outcome], metric: str) -> float:
    values = [outcomes[c.key].get(f"m_{metric}") for c in cells]
    if not values or any(v is None or math.isnan(v) for v in values):
        return math.inf
    return float(describe(metric).loss(np.array(values, float)).mean())
