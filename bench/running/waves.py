"""In what order the solvers of a run take their turns: what is done in no time first, for an early table."""

from __future__ import annotations

from collections.abc import Sequence

from bench.grid.schema import SolverEntry

#: family -> how long its solvers take, beside one another; the others are in between
SPEED = {"reference": 0, "filter": 0, "diffusion": 2, "network": 2}
#: solvers that a preliminary table has at least
MIN_ROWS = 3


def waves_of(entries: Sequence[SolverEntry]) -> list[list[SolverEntry]]:
    """The solvers that run first, enough of them for a table, and the rest; one wave where that is not to be had.

    Filters come before iterations, and these before whatever runs a network. Each wave is in the order of the grid.
    """
    speeds = [_speed(entry) for entry in entries]
    for slowest in (0, 1):
        first, rest = (
            [e for e, s in zip(entries, speeds, strict=True) if (s <= slowest) is quick] for quick in (True, False)
        )
        if len(first) >= MIN_ROWS and rest:
            return [first, rest]
    return [list(entries)]


def _speed(entry: SolverEntry) -> int:
    family = str(entry.variant.plugin.flags.get("family", "variational"))
    return 2 if entry.prior is not None else SPEED.get(family, 1)
