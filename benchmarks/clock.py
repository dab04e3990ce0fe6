"""CPU seconds of calls, and of commands with every process that they start."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Spent(NamedTuple):
    """What a command took.

    Attributes:
        cpu, wall: seconds.
        memory: MB, the largest sum of the proportional set sizes of all its processes at any moment looked at.
    """

    cpu: float
    wall: float
    memory: float


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def smallest(call: Callable[[], object], repeat: int) -> float:
    """The smallest CPU seconds of some calls: other work on a machine only adds."""
    return min(cpu_seconds(call) for _ in range(max(repeat, 1)))


def spend(*command: str | Path, cwd: Path | None = None, limit: float = 600, memory: bool = False) -> Spent:
    """Run a command and wait for every process it leaves behind; it must end well within ``limit`` seconds.

    Raises subprocess.TimeoutExpired (everything it started is killed) and subprocess.CalledProcessError. Memory is
    looked at only when asked, since looking costs time.
    """
    _adopt_orphans()
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    watch = Watch(process.pid) if memory else None
    try:
        _, message = process.communicate(timeout=limit)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    finally:
        peak = watch.end() if watch else 0.0
        _reap()
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    if process.returncode:
        error = message.decode(errors="replace")[-500:]
        raise subprocess.CalledProcessError(process.returncode, command, stderr=error)
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, peak)


def least(*command: str | Path, repeat: int = 3, cwd: Path | None = None) -> Spent:
    """The run with the fewest CPU seconds."""
    return min((spend(*command, cwd=cwd) for _ in range(repeat)), key=lambda s: s.cpu)


class Watch:
    """Looks at the memory of a process and its descendants every fifth of a second."""

    def __init__(self, pid: int):
        self._pid, self._peak, self._over = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """MB at most."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self._peak = max(self._peak, sum(map(_proportional, _family(self._pid))))


def _family(first: int) -> list[int]:
    """A process and all below it, whatever sessions they are in."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text(errors="replace").rsplit(")", 1)[1].split()[1])
    family = [first]
    for pid in family:  # grows
        family += [child for child, parent in parents.items() if parent == pid]
    return family


def _proportional(pid: int) -> float:
    """Proportional set size, MB: pages that processes share are divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("Pss:")), 0.0)


def _adopt_orphans() -> None:
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _reap(patience: float = 20) -> None:
    """Wait for adopted processes: what a run started may outlive it for a moment."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.01)
