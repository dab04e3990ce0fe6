"""Random generators keyed by what they are for, so that no draw depends on what was drawn before it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def canonical(value: object) -> str:
    """JSON with sorted keys and no blanks: one text for one value. Infinity is spelled Infinity, NaN refused."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if "NaN" in text:  # perhaps within a string
        json.loads(text, parse_constant=_refuse_nan)
    return text


def _refuse_nan(constant: str) -> float:
    if constant == "NaN":
        raise ValueError("NaN is not JSON, and equals nothing")
    return float(constant)


def digest(value: object) -> str:
    """sha256 (hex) of the canonical JSON of plain data."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def generator_key(*parts: object) -> int:
    """The key of a generator: 128 bits of sha256 of ``parts`` (plain data)."""
    return int(digest(list(parts))[:32], 16)


def keyed(key: int) -> np.random.Generator:
    """A numpy Philox generator with this key: the same on every machine."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=key))


def generator(*parts: object) -> np.random.Generator:
    """The generator that is keyed with ``parts`` (plain data)."""
    return keyed(generator_key(*parts))
