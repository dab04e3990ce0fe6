"""Parsl's pool of workers on a node, which ends when the helper process that it notes its tasks in does.

Without the helper (a ``multiprocessing`` manager) no worker takes up anything, but the pool goes on saying that it is
well and keeps the cells that it was given. Once it has ended it counts as lost, and they are sent elsewhere. Started
by ``site`` in place of ``process_worker_pool.py``, which it runs.

A pool that is killed with all its processes, as schedulers do, leaves its semaphores in /dev/shm. They carry the
number of the pool's process, so that the next pool on the node removes them.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

#: how ``multiprocessing`` calls the helper
HELPER = "SyncManager"


#: how the semaphores of a pool are called, with the number of its process
SEMAPHORES = "bench-pool-"


def sweep_semaphores(folder: Path = Path("/dev/shm")) -> None:  # noqa: S108  where Linux has them, nothing is made there
    """Remove the semaphores of pools that are gone, as far as that is allowed."""
    for left in folder.glob(f"sem.{SEMAPHORES}*"):
        pid = left.name.removeprefix(f"sem.{SEMAPHORES}").split("-")[0]
        with suppress(OSError):
            if not Path(f"/proc/{pid}").exists():
                left.unlink()


def _name_semaphores() -> None:
    """Give the semaphores of this process, and of those that it starts, its number in their names."""
    process: Any = multiprocessing.current_process()
    process._config["semprefix"] = f"/{SEMAPHORES}{os.getpid()}"


def _watch_helper() -> None:
    while not (helpers := [p for p in multiprocessing.active_children() if p.name.startswith(HELPER)]):
        time.sleep(0.2)
    wait([helpers[0].sentinel])
    time.sleep(5)  # at a regular end it goes last
    for child in multiprocessing.active_children():
        child.kill()  # they would wait for ever for what they started
    os._exit(1)


if __name__ == "__main__":
    if sys.platform == "linux":
        sweep_semaphores()
        _name_semaphores()
    threading.Thread(target=_watch_helper, daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.process_worker_pool", run_name="__main__", alter_sys=True)
