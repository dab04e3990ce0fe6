"""Parsl's interchange, which ends when the run that started it does: killed, a run cannot tell it to.

Without it the workers of a killed run would idle in their allocation until its end. Started by ``site`` in place of
``interchange.py``, which it runs.
"""

from __future__ import annotations

import os
import runpy
import threading
import time


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__", alter_sys=True)
