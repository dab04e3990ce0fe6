"""Choosing among candidates: on the validation split per group of settings, or per test image as an oracle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.grid.cells import Cell
from bench.grid.planner import Planner, Setting
from bench.grid.schema import SolverEntry
from bench.metrics.evaluate import METRICS

Outcomes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Group:
    """Settings that share one choice, and the validation cells that judge each candidate."""

    entry: SolverEntry
    settings: list[Setting]
    trials: list[tuple[dict[str, Any], list[Cell]]]


@dataclass(frozen=True)
class Choice:
    """What was chosen for a group, and what it was chosen from.

    Attributes:
        chosen: the best candidate, or None if every candidate failed on some image.
        tried: candidate and score: the mean loss over the validation cells, infinite where one failed.
        at_edge: tuned settings whose best value is the first or last of at least three tried.
        seconds: solve time that the search took.
    """

    label: str
    settings: list[str]
    chosen: dict[str, Any] | None
    tried: list[tuple[dict[str, Any], float]]
    at_edge: list[str]
    seconds: float

    def as_dict(self, metric: str) -> dict[str, Any]:
        """Plain data for run.json; scores are turned back into the metric's own direction."""
        sign = -1 if METRICS[metric].better == "higher" else 1
        tried = [{"candidate": c, "score": sign * s if math.isfinite(s) else None} for c, s in self.tried]
        return {
            "solver": self.label,
            "settings": self.settings,
            "metric": metric,
            "chosen": self.chosen,
            "tried": tried,
            "at_edge": self.at_edge,
            "seconds": self.seconds,
        }


def groups_of(planner: Planner, entry: SolverEntry) -> list[Group]:
    """The searches that a solver needs: none if it is not tuned."""
    if entry.tuning is None or entry.tuning.oracle:
        return []
    candidates = entry.tuning.candidates
    groups = []
    for settings in planner.groups(entry):
        judged = _without_mismatch(settings)
        groups.append(Group(entry, settings, [(c, list(planner.cells("val", entry, judged, c))) for c in candidates]))
    return groups


def _without_mismatch(settings: list[Setting]) -> list[Setting]:
    """Of settings that differ in mismatch alone, the first: one tunes on what one believes, not on one's errors."""
    first: dict[tuple[str, str], Setting] = {}
    for s in settings:
        first.setdefault((s.blur.id, s.noise.id), s)
    return list(first.values())


def choose(group: Group, outcomes: Outcomes, metric: str) -> Choice:
    """The candidate with the smallest mean loss; the first of equals."""
    tried = [(candidate, _loss(cells, outcomes, metric)) for candidate, cells in group.trials]
    best, score = min(tried, key=lambda t: t[1])
    seconds = sum(outcomes[c.key].get("seconds") or 0.0 for _, cells in group.trials for c in cells)
    chosen = best if math.isfinite(score) else None
    edges = [] if chosen is None else [n for n in chosen if _at_edge(n, chosen, [c for c, _ in tried])]
    return Choice(group.entry.label, [s.id for s in group.settings], chosen, tried, edges, seconds)


def best_of(cells: Sequence[Cell], outcomes: Outcomes, metric: str) -> Cell:
    """Of cells that differ in their candidate alone, the one with the best metric on this very image (oracle)."""
    return min(cells, key=lambda c: _loss([c], outcomes, metric))


def _loss(cells: Sequence[Cell], outcomes: Outcomes, metric: str) -> float:
    values = [outcomes[c.key].get(f"m_{metric}") for c in cells]
    if not values or any(v is None or math.isnan(v) for v in values):
        return math.inf
    return float(METRICS[metric].loss(np.array(values, float)).mean())


def _at_edge(name: str, chosen: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> bool:
    values = {c[name] for c in candidates}
    if len(values) < 3 or not all(isinstance(v, int | float) for v in values):
        return False
    return chosen[name] in (min(values), max(values))
