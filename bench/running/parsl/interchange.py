"""Parsl's interchange, which ends when the run that started it does: killed, a run cannot tell it to.

Without it the workers of a killed run would idle in their allocation until its end. The interchange also gives back
what the run asked the scheduler for. Started by ``site`` in place of ``interchange.py``, which it runs.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from pathlib import Path

from bench.running.parsl.blocks import give_back


def _watch_parent(parent: int, site: str, label: str, notes: str) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    give_back(site, label, Path(notes))
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch_parent, args=(os.getppid(), *sys.argv[1:4]), daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__", alter_sys=True)
