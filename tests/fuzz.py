"""Two profiles of a fuzz test: some cases, always the same, by default; many new ones with ``-m slow``."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

#: cases of the deep profile; docs/reliability.md says how many were tried in its campaign
DEEP = int(os.environ.get("BENCH_FUZZ", "2000"))

Check = Callable[..., None]


def fuzzed(cases: int, **strategies: Any) -> Callable[[Check], Check]:
    """Make a test of a check: ``cases`` cases by default, ``DEEP`` when slow tests run."""

    def decorate(check: Check) -> Check:
        @pytest.mark.parametrize("profile", ["quick", pytest.param("deep", marks=pytest.mark.slow)])
        def test(profile: str) -> None:
            quick = profile == "quick"
            profiled = settings(
                max_examples=cases if quick else DEEP,
                derandomize=quick,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            )
            profiled(given(**strategies)(check))()

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


def damaged(data: bytes, seed: int) -> bytes:
    """The bytes after one to four random harms: cut, overwritten, zeroed, inserted, removed or repeated pieces."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 4)):
        a, n = rng.randrange(len(data) + 1), rng.choice([1, 1, 1, 4, 64])
        piece = data[a : a + n]
        data = rng.choice([
            data[:a],
            data[:a] + rng.randbytes(len(piece)) + data[a + n :],
            data[:a] + bytes(len(piece)) + data[a + n :],
            data[:a] + b"\xff" * len(piece) + data[a + n :],
            data[:a] + rng.randbytes(n) + data[a:],
            data[:a] + data[a + n :],
            data[:a] + piece + data[a:],
        ])  # fmt: skip
    return data
