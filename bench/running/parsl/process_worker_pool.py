"""Parsl's pool of workers on a node, which ends when the helper process that it notes its tasks in does.

Without the helper (a ``multiprocessing`` manager) no worker takes up anything, but the pool goes on saying that it is
well and keeps the cells that it was given. Once it has ended it counts as lost, and they are sent elsewhere. Started
by ``site`` in place of ``process_worker_pool.py``, which it runs.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import threading
import time
from multiprocessing.connection import wait

#: how ``multiprocessing`` calls the helper
HELPER = "SyncManager"


def _watch_helper() -> None:
    while not (helpers := [p for p in multiprocessing.active_children() if p.name.startswith(HELPER)]):
        time.sleep(0.2)
    wait([helpers[0].sentinel])
    time.sleep(5)  # at a regular end it goes last
    for child in multiprocessing.active_children():
        child.kill()  # they would wait for ever for what they started
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch_helper, daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.process_worker_pool", run_name="__main__", alter_sys=True)
