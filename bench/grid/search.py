"""Where the next candidate lies: lists as they stand, ranges by golden-section search.

A search is a generator that yields candidates and is sent their losses. It knows nothing but these, so that a search
that was interrupted hears once more what came out, and asks for the same candidates in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.seeds import generator

Candidate = dict[str, Any]
#: yields what is to be tried next, all at once, and is sent a loss for each, infinite for a failure
Steps = Generator[list[Candidate], list[float], None]

#: share of the larger gap beside the best value at which the next one lies: 1 - 1 / 1.618...
SECTION = (3 - math.sqrt(5)) / 2
#: how often a search may step beyond the range that it was given
EXTENSIONS = 3
#: gaps below this are not divided further: of a logarithm 1 %, else of the range's width
FINEST = 0.01
#: logarithms beyond this are no floating-point numbers
LARGEST = 700.0
#: candidates that a range needs: both ends and a value between them
FEWEST = 3


@dataclass(frozen=True)
class Values:
    """An axis of exactly these values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """An axis to be searched, at first between ``low`` and ``high``, never outside ``least`` and ``most``.

    Attributes:
        log: searched in the logarithm; of whole numbers in that of x + 1, so that 0 can be reached.
        whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = True
    whole: bool = False
    least: float = -math.inf
    most: float = math.inf

    def coordinate(self, x: float) -> float:
        """Where a value lies on the scale of the search."""
        if not self.log:
            return x
        x += self.whole
        return math.log(x) if x > 0 else -math.inf

    def value(self, u: float) -> float | int:
        """The value at a coordinate, to four significant digits, or the nearest whole number."""
        x = math.exp(min(max(u, -LARGEST), LARGEST)) - self.whole if self.log else u
        x = min(max(float(round(x)) if self.whole else float(f"{x:.4g}"), self.least), self.most)
        return int(x) if self.whole else x

    @property
    def finest(self) -> float:
        """The smallest gap worth dividing."""
        return FINEST if self.log else FINEST * (self.high - self.low)


Axis = Values | Range


def steps(axes: Mapping[str, Axis], budget: int, start: Mapping[str, Any]) -> Steps:
    """Candidates of at most ``budget``, each a value for every axis.

    Of lists alone: their product, or a part of it. With a range among several axes: one axis after the other, in
    their order, with equal shares of the budget, the others at the best value so far, or as ``start`` has them.
    """
    lists = {name: axis.values for name, axis in axes.items() if isinstance(axis, Values)}
    if len(lists) == len(axes):
        yield part_of_product(lists, budget)
        return
    point = {name: start.get(name) for name in axes}
    for i, (name, axis) in enumerate(axes.items()):
        share = (budget + len(axes) - 1 - i) // len(axes)
        point[name] = yield from _along(name, axis, share, point)


def _along(name: str, axis: Axis, budget: int, point: Candidate) -> Generator[list[Candidate], list[float], Any]:
    """Try values of one axis; returns the best one."""
    if isinstance(axis, Values):
        values = [c[name] for c in part_of_product({name: axis.values}, budget)]
        losses = yield [{**point, name: v} for v in values]
        return values[losses.index(min(losses))]
    tried: dict[float, float] = {}
    wanted = _first(axis)[:budget]
    while wanted:
        losses = yield [{**point, name: axis.value(u)} for u in wanted]
        tried.update(zip(wanted, losses, strict=True))
        new = _next(axis, tried) if len(tried) < budget else None
        wanted = [] if new is None else [new]
    return axis.value(min(tried, key=lambda u: tried[u]))


def _first(axis: Range) -> list[float]:
    a, b = axis.coordinate(axis.low), axis.coordinate(axis.high)
    return list(dict.fromkeys([a + SECTION * (b - a), a, b]))


def _next(axis: Range, tried: Mapping[float, float]) -> float | None:
    """The next coordinate, or None where nothing is left to learn.

    Beyond the end that is best, as far as that is allowed; else in the larger gap beside the best value, in golden
    proportion (Kiefer 1953, Proc. AMS 4).
    """
    order = sorted(tried)
    best = min(tried, key=lambda u: tried[u])  # of equals the first
    if math.isinf(tried[best]) and tried[best] > 0:
        return None
    i = order.index(best)
    left, right = order[i - 1] if i > 0 else None, order[i + 1] if i + 1 < len(order) else None
    if left is None or right is None:
        bound = axis.coordinate(axis.least if left is None else axis.most)
        if best != bound and (new := _beyond(axis, tried, best, bound)) is not None:
            return new
        left = right = right if left is None else left
    assert left is not None
    assert right is not None  # there are at least two
    gap = max((left - best, right - best), key=abs)
    new = best + SECTION * gap
    return None if abs(gap) < axis.finest or _is_known(axis, new, tried) else new


def _beyond(axis: Range, tried: Iterable[float], best: float, bound: float) -> float | None:
    """The next coordinate outside the range: 0.382 of its width beyond, then 0.618, then 1, up to the bound."""
    a, b = axis.coordinate(axis.low), axis.coordinate(axis.high)
    steps_taken = sum(not a <= u <= b for u in tried)
    step = (b - a) * SECTION / (1 - SECTION) ** steps_taken
    new = min(best + step, bound) if best >= b else max(best - step, bound)
    return None if steps_taken >= EXTENSIONS or _is_known(axis, new, tried) else new


def _is_known(axis: Range, new: float, tried: Iterable[float]) -> bool:
    return axis.value(new) in {axis.value(u) for u in tried}


def part_of_product(lists: Mapping[str, tuple[Any, ...]], budget: int) -> list[Candidate]:
    """The product of lists; if it exceeds the budget, evenly spaced values of a single list, ends included, or a
    part of the product of several, drawn by a generator that the lists themselves seed.
    """
    every = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    if len(every) <= budget:
        return every
    if len(lists) == 1:
        chosen = {round(i * (len(every) - 1) / max(budget - 1, 1)) for i in range(budget)}
    else:
        order = generator("tune", {n: list(v) for n, v in lists.items()}).permutation(len(every))
        chosen = set(order[:budget].tolist())
    return [every[i] for i in sorted(chosen)]
