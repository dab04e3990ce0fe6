"""A process of ours: it forks others of its kind, and builds and runs plug-ins where it is asked to.

``bench run`` starts one, the root, which imports torch once and runs no plug-in. All others are forked from it:

    root ── worker            measures and scores; holds the truth, runs no solver
         └─ nursery           one for each worker; runs no plug-in and holds no truth
             └─ module        has imported one solver's file
                 └─ solver    one solver with one value for every parameter; solves

Whoever ends another ends with it what that has started. When the run is gone, its socket closes, and the root
ends everything.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from bench.running.channel import Channel, Message

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)


class Node:
    """What this process is to others.

    Args:
        channel: where it is asked from.
        answers: what it can be asked beside forking and ending: by the name of the request.
    """

    def __init__(self, channel: Channel, answers: dict[str, Callable[[Channel, Message, list[int]], None]]):
        self._channel, self._answers = channel, answers
        self._children: set[int] = set()

    def serve(self) -> None:
        """Do what is asked, until nobody can ask any more."""
        with suppress(EOFError, OSError):
            while True:
                message, files = self._channel.receive()
                match message.data["do"]:
                    case "fork":
                        self._fork(files)
                    case "end":
                        self._channel.send({"exitcode": self._end(message.data["pid"], message.data["grace"])})
                    case name:
                        self._answers[name](self._channel, message, files)
        self._end_all()

    def _fork(self, files: list[int]) -> None:
        """Fork; the child is asked through the first of the files, and what it prints goes to the second."""
        if not self._children:
            _prctl(_SET_CHILD_SUBREAPER, 1)
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(me, files)
            return
        self._children.add(pid)
        for file in files:
            os.close(file)
        self._channel.send({"pid": pid})

    def _become_child(self, parent: int, files: list[int]) -> None:
        os.setpgid(0, 0)
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked for a signal
            os._exit(1)
        self._channel.close()
        self._children = set()
        if len(files) > 1:
            os.dup2(files[1], 1)
            os.dup2(files[1], 2)
            os.close(files[1])
        self._channel = Channel(socket.socket(fileno=files[0]))

    def _end(self, pid: int, grace: float) -> int | None:
        """End a child with all that it started; its exit code. It has ``grace`` seconds to go by itself."""
        if pid not in self._children:
            return None
        deadline = time.monotonic() + grace
        while (status := _reaped(pid)) is None and time.monotonic() < deadline:
            time.sleep(0.002)
        if status is None:
            _signal([pid], signal.SIGKILL, group=True)
            status = os.waitpid(pid, 0)[1]
        self._children.discard(pid)
        self._end_orphans()
        return os.waitstatus_to_exitcode(status)

    def _end_orphans(self) -> None:
        """End what a child that is gone has left. Those that clear up behind others get a second for it."""
        start = time.monotonic()
        while (orphans := _children() - self._children) and time.monotonic() < start + 10:
            _signal(orphans, signal.SIGTERM if time.monotonic() < start + 1 else signal.SIGKILL)
            for pid in orphans:
                _reaped(pid)
            time.sleep(0.005)

    def _end_all(self) -> None:
        _signal(self._children, signal.SIGKILL, group=True)
        for pid in self._children:
            os.waitpid(pid, 0)
        had, self._children = self._children, set()
        if had:
            self._end_orphans()


def _reaped(pid: int) -> int | None:
    """The wait status of a child that has ended, else None."""
    with suppress(ChildProcessError):
        done, status = os.waitpid(pid, os.WNOHANG)
        return status if done else None
    return 0


def _signal(pids: Iterable[int], number: int, *, group: bool = False) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)


def _children() -> set[int]:
    """The processes whose parent is this one; none where the system does not tell."""
    with suppress(OSError):
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
        return {int(pid) for pid in listed.split()}
    return {pid for pid in _pids() if _parent(pid) == os.getpid()}


def _pids() -> list[int]:
    with suppress(OSError):
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return []


def _parent(pid: int) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[1]
        )
    return None


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main(file: int) -> None:
    """The root: torch is imported, then others are forked. Never returns."""
    _lock_within_processes()
    from bench.running import solving, worker

    answers = {
        "prepare": solving.prepare,
        "about": solving.about,
        "load": solving.load,
        "solve": solving.answer,
        "work": worker.work,
    }
    code = 1
    try:
        Node(Channel(socket.socket(fileno=file)), answers).serve()
        atexit._run_exitfuncs()  # what a plug-in's libraries clear up; the process ends without it
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _lock_within_processes() -> None:
    """Let tqdm, which libraries bring, lock between threads: its lock between processes leaves a semaphore behind."""
    with suppress(ImportError):
        from tqdm import tqdm

        tqdm.set_lock(threading.RLock())
