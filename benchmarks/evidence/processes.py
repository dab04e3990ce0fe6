"""The processes of a run, as /proc lists them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """Whichever of its threads has started them."""
    listed: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            listed += map(int, thread.read_text().split())
    return listed


def workers(pid: int) -> list[int]:
    """What the process that a run starts has forked: workers and the nurseries of their solvers."""
    return [worker for child in children(pid) for worker in children(child)]


def marked(mark: bytes) -> list[int]:
    """The processes whose environment holds these bytes."""
    pids = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                pids.append(int(entry.name))
    return pids


def kill(pid: int) -> None:
    """SIGKILL, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
