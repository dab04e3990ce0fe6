"""How much a grid may ask for, checked before anything of that size is made. More is a slip, or an attack."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Path_ = tuple[str | int, ...]

#: variants of an entry, repetitions, trajectories, samples
MOST = 100_000
#: degradations of a grid
MOST_SETTINGS = 1_000_000
#: characters of a name
LONGEST_NAME = 100
#: characters of a condition
LONGEST_CONDITION = 1000

#: What the file system says of text that cannot be a path: too long, a NUL in it, the home of nobody.
NO_PATH = (OSError, ValueError, RuntimeError)


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def is_count(value: Any, least: int, most: int) -> bool:
    """Whether it is a whole number in [least, most], and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def find_nan(data: Any, path: Path_ = ()) -> Path_ | None:
    """Where in plain data a NaN stands: it equals nothing, so nothing that holds it can be compared."""
    if isinstance(data, float) and math.isnan(data):
        return path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return next((at for k, v in items if (at := find_nan(v, (*path, k))) is not None), None)


def combinations(settings: Mapping[str, Any]) -> int:
    """How many variants lists and ranges make, at most: counted, not made."""
    total = 1
    for value in settings.values():
        if isinstance(value, list):
            total *= max(len(value), 1)
        elif isinstance(value, dict):
            counts = map(_last, (value.get("logspace"), value.get("linspace")))
            total *= max([n for n in counts if isinstance(n, int)], default=1)
    return total


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) and value else None
