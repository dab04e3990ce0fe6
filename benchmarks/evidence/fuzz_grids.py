"""As many mutated grids as fit in some minutes: each is planned, or refused with its line, within 5 seconds.

    python benchmarks/evidence/fuzz_grids.py --minutes 5

The grids are those of ``tests/grid/test_fuzz_grids.py``: three of four have nodes of a small grid replaced, removed,
renamed or moved, one of four is a shipped grid with other characters. Time is that of the processor.
"""

from __future__ import annotations

import argparse
import collections
import json
import signal
import sys
import time
import traceback
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.grid import test_fuzz_grids as grids

HANG = 5.0


def text_of(seed: int) -> str:
    """The grid of a number. Raises ValueError where it holds a number that Python would rather not write."""
    if seed % 4 == 0:
        return grids.other_characters(seed, ("quickstart", "ci")[seed // 4 % 2])
    data = grids.changed(seed)
    return json.dumps(data) if seed % 2 else yaml.safe_dump(data, sort_keys=False)


def tried(seed: int) -> str:
    """What became of a grid, in a word."""
    try:
        text = text_of(seed)
    except ValueError:
        return "not written"
    try:
        return "planned" if grids.plan(text) else "refused"
    except Exception:
        print(f"--- seed {seed}\n{traceback.format_exc()[-3000:]}", flush=True)
        return "TRACEBACK"


def main() -> None:
    """Try grids until the time is over, and say what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first grid")
    options = parser.parse_args()
    became: collections.Counter[str] = collections.Counter()
    slowest = (0.0, 0)
    seed = options.seed
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))  # the figures so far are worth something
    while time.process_time() < 60 * options.minutes and not ended:
        begin = time.process_time()
        became[tried(seed)] += 1
        slowest = max(slowest, (time.process_time() - begin, seed))
        seed += 1
    print(f"{sum(became.values())} grids from number {options.seed} on: {dict(became)}")
    print(f"the slowest took {slowest[0]:.2f} s (number {slowest[1]})")
    sys.exit(became["TRACEBACK"] > 0 or slowest[0] > HANG)


if __name__ == "__main__":
    main()
