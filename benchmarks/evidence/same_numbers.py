"""Whether two versions of the code give the same metrics to the last bit.

    bench run ci --workers 1 --out A        with the one version, on one machine, OMP_NUM_THREADS=1
    bench run ci --workers 1 --out B        with the other
    python benchmarks/evidence/same_numbers.py A B

Rows are matched by solver, phase, candidate and measurement, not by content key, which any change of code changes.
Compared are the status, the hash of the measurement, what tuning chose, and every metric of estimate and input as 64
bits. Exit 1 where one of them differs or a row of A has no partner.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.results.folder import ResultsFolder
from bench.results.identity import MeasurementId

SAME = ("status", "y_sha", "tuned", "n_A", "n_At", "nfe_forward", "nfe_backward")


def rows(folder: Path) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The rows of a finished run by what they are of."""
    return {
        (r["solver"], r["phase"], r["candidate"], *MeasurementId.of(r)): r for r in ResultsFolder(folder).read().rows
    }


def exact(value: object) -> object:
    """A value such that equal ones have equal bits."""
    return value.hex() if isinstance(value, float) else value


def main(before: Path, after: Path) -> int:
    """Print the columns that differ, and in how many rows; the exit code."""
    a, b = rows(before), rows(after)
    names = [*SAME, *(n for n in next(iter(a.values())) if n.startswith(("m_", "in_")))]
    pairs = [(a[key], b[key]) for key in a.keys() & b.keys()]
    differing = Counter(f"{x['solver']}: {n}" for x, y in pairs for n in names if exact(x.get(n)) != exact(y.get(n)))
    print(
        f"{len(pairs)} rows in both, {len(a) - len(pairs)} in {before} alone, {len(b) - len(pairs)} in {after} alone"
    )
    print(f"{len(names)} columns compared; differing: {dict(differing) or 'none'}")
    return int(bool(differing) or len(pairs) < len(a))


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:3])))
