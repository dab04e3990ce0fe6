"""Whether a network was trained on the degradation that it is tested on: from the card of its weights, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from bench.errors import BenchError
from bench.grid.cells import Cell, Ref
from bench.grid.variants import Variant, variants
from bench.plugins.weights import find_weights
from bench.seeds import canonical

TRAINED = "trained on this degradation"
OUTSIDE = "outside its training range"

#: parameters of the array that holds a kernel, not of the kernel
_OF_THE_SUPPORT = ("size", "overflow")


def training_note(cell: Cell) -> str | None:
    """``trained on this degradation``, or ``outside its training range (length 32 > 16; sigma 20 > 4)``.

    A degradation counts as trained on if each of its parameters lies between the least and the largest value of the
    training, one by one. None where nothing is known: no weights, no card beside them, or a card without degradation,
    such as that of a prior, which learnt sharp pictures, or of a training on recorded pairs.
    """
    weights = cell.solver.settings.get("weights")
    if not isinstance(weights, str) or not weights:
        return None
    degradation = cell.shot.degradation
    given = [_plain(degradation.blur), _plain(degradation.noise), cell.shot.boundary]
    return _note(weights, canonical(given))


def _plain(ref: Ref) -> list[Any]:
    return [ref.name, ref.settings]


@lru_cache(maxsize=1024)
def _note(weights: str, given: str) -> str | None:
    blur, noise, boundary = json.loads(given)
    try:
        card = json.loads(find_weights(weights).with_suffix(".json").read_text(encoding="utf-8"))
        trained = card.get("degradation")
        if not trained:
            return None
        differing = [
            *_differing("blur", variants("operator", trained["blur"]), *blur),
            *_differing("noise", variants("noise", trained["noise"]), *noise),
        ]
    except (BenchError, OSError, ValueError, LookupError, TypeError, AttributeError):  # a card of somebody else's
        return None
    if boundary != trained.get("boundary", "valid"):
        differing.append(f"boundary {boundary}")
    return f"{OUTSIDE} ({'; '.join(differing)})" if differing else TRAINED


def _differing(
    kind: str, trained: Sequence[tuple[Variant, int]], name: str, settings: Mapping[str, Any]
) -> Iterator[str]:
    """What of a degradation lies outside of what was trained on, a phrase each."""
    alike = [v.settings for v, _ in trained if v.plugin.label == name]
    if not alike:
        yield f"{kind} {name}"
        return
    for parameter, value in settings.items():
        if parameter not in _OF_THE_SUPPORT:
            yield from _beyond(parameter, value, [s.get(parameter) for s in alike])


def _beyond(parameter: str, value: Any, trained: Sequence[Any]) -> Iterator[str]:
    span, spans = _span(value), [s for s in map(_span, trained) if s]
    if span is None or len(spans) < len(trained):
        if value not in trained:
            yield f"{parameter} {value}"
        return
    least, most = min(low for low, _ in spans), max(high for _, high in spans)
    if span[1] > most:
        yield f"{parameter} {span[1]:g} > {most:g}"
    elif span[0] < least:
        yield f"{parameter} {span[0]:g} < {least:g}"


def _span(value: Any) -> tuple[float, float] | None:
    """The least and the largest value of a number, or of one that is drawn; None of anything else."""
    match value:
        case bool():
            return None
        case int() | float():
            return value, value
        case {"uniform": [low, high]} | {"uniform": (low, high)}:
            return low, high
    return None
