"""Worker processes that can be killed: a crash, a hang or lack of memory costs one batch, never the run.

The seam to other engines is ``Engine``: calls that return ``concurrent.futures`` futures. What the processes are:
``bench.running.node``.
"""

from __future__ import annotations

import atexit
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from bench import errors
from bench.errors import BenchError, ResultError, message_of
from bench.grid.cells import Cell, Ref
from bench.running.channel import Channel, MessageError
from bench.running.environment import Shared
from bench.running.limits import WALL, death
from bench.seeds import digest

#: seconds beyond the limits of what a worker was asked after which it is given up: measuring and scoring have none
GRACE = 120.0
#: calls that wait at least, for a worker to choose those of the solver that it has
AHEAD = 32
#: how often a worker is started again when it dies before it can be asked anything
STARTS = 3
#: workers that a call may lose without having been their end for certain; then it is suspected
LIVES = 5


class Lost(Exception):  # noqa: N818  not an error of ours
    """A worker elsewhere is gone, and with it the reason."""


class WorkerDied(Exception):  # noqa: N818
    """A worker process is gone.

    Attributes:
        exitcode: as in ``subprocess``; None if nobody knows it.
    """

    def __init__(self, exitcode: int | None):
        super().__init__(death(exitcode))
        self.exitcode = exitcode


class Engine(Protocol):
    """What solves cells somewhere else."""

    workers: int

    def solve(self, cells: Sequence[Cell], timeout: float) -> Future[list[dict[str, Any]]]:
        """Outcomes of a batch, in order; the future may raise TimeoutError or that its worker died."""
        ...

    def check(self, solvers: Sequence[Ref]) -> Future[None]:
        """Build the solvers; the future raises what is wrong with their settings."""
        ...


class LocalEngine:
    """Worker processes on this machine, forked from one that has torch imported once.

    Args:
        workers: how many.
        shared: threads, device and limits of each.
    """

    def __init__(self, workers: int, shared: Shared):
        self.workers = workers
        self._shared, self._is_stopped = shared, False
        self._alive: set[_Worker] = set()
        self._calls = _Calls()
        self._threads = [threading.Thread(target=self._serve, args=[n], daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def solve(self, cells: Sequence[Cell], timeout: float) -> Future[list[dict[str, Any]]]:
        """Solve a batch in a worker; the timeout counts from when its solver starts."""
        # Once all together, and perhaps once more one by one.
        most = 2 * WALL * timeout + (1 + len(cells)) * (4 * self._shared.loading + GRACE)
        request = {"cells": [asdict(c) for c in cells], "timeout": timeout}
        return self._ask(request, most, solver=digest([request["cells"][0][part] for part in ("solver", "prior")]))

    def check(self, solvers: Sequence[Ref]) -> Future[None]:
        """Build the solvers in processes that end then."""
        return self._ask({"check": [asdict(r) for r in solvers]}, len(solvers) * 4 * self._shared.loading + GRACE)

    def _ask(self, request: dict[str, Any], most: float, solver: str | None = None) -> Future[Any]:
        call = _Call(request, most, solver)
        self._calls.put(call)
        return call.future

    def _serve(self, number: int) -> None:
        """What each thread does: hand calls to a worker of its own, and replace it when it dies."""
        worker = None
        while (call := self._calls.take(number)) is not None and not self._is_stopped:
            if call.future.set_running_or_notify_cancel():
                worker = self._carried_out(call, worker)
        self._ended(worker)

    def _carried_out(self, call: _Call, worker: _Worker | None) -> _Worker | None:
        """Have a call answered; the worker for the next one, None if it died.

        A call whose worker was dead before, or went down together with the process that it was forked from, is asked
        again: nothing says that it was the reason.
        """
        for life in range(LIVES, 0, -1):
            if worker is not None and not worker.is_there:
                self._ended(worker)
                worker = None
            try:
                worker = worker or self._started()
                call.future.set_result(worker.ask(call.request, call.most))
            except BenchError as error:
                call.future.set_exception(error)
            except BaseException as error:
                ended, worker = self._ended(worker, error), None
                is_suspect = not isinstance(ended, WorkerDied) or ended.exitcode is not None
                if not (is_suspect or life == 1 or self._is_stopped):
                    continue
                call.future.set_exception(ended)
            break
        return worker

    def _started(self) -> _Worker:
        for _ in range(STARTS):
            with suppress(OSError, EOFError, MessageError):
                worker = _Worker(_root(), self._shared)
                self._alive.add(worker)
                if self._is_stopped:
                    self._ended(worker)
                return worker
        raise ResultError("the workers die again and again, and nothing gets done")

    def _ended(self, worker: _Worker | None, error: BaseException | None = None) -> BaseException:
        """End a worker with its solvers; what ``error``, of a call, comes to."""
        code = None
        if worker is not None:
            self._alive.discard(worker)
            code = worker.end()
        return error if isinstance(error, TimeoutError | WorkerDied) else WorkerDied(code)

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        self._is_stopped = True
        self._calls.close()
        for worker in list(self._alive):
            worker.end()  # the thread that waits for it hears of it
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._calls.close()
            for thread in self._threads:
                thread.join()
        self.stop()


class _Call:
    """A request to whichever worker is free, and the future of its answer.

    ``solver``: which one with which parameters it is for, if it solves.
    """

    def __init__(self, request: dict[str, Any], most: float, solver: str | None):
        self.request, self.most, self.solver = request, most, solver
        self.future: Future[Any] = Future()


class _Calls:
    """Calls that wait for a worker.

    In each worker a solver with one value for every parameter has a process of its own, with its imports, its weights
    and a first call that is timed twice. A worker therefore goes on with the solver that it has, then with one that
    no other worker has, and shares another's only when nothing else is left.
    """

    def __init__(self) -> None:
        self._waiting: list[_Call] = []
        self._solvers: dict[int, str | None] = {}
        self._changed, self._is_closed = threading.Condition(), False

    def put(self, call: _Call) -> None:
        """Add a call."""
        with self._changed:
            self._waiting.append(call)
            self._changed.notify()

    def close(self) -> None:
        """There will be no more calls."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def take(self, worker: int) -> _Call | None:
        """The next call for a worker; None when there will be none. Waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return None
            own = self._solvers.pop(worker, None)
            others = set(self._solvers.values())
            # min takes the first of equals, and calls wait in the order in which they were put
            call = min(self._waiting, key=lambda c: 0 if c.solver == own else 1 if c.solver not in others else 2)
            self._waiting.remove(call)
            self._solvers[worker] = call.solver
            return call


class _Root:
    """The process that all others are forked from (``bench.running.node``); one thread at a time asks it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        code = f"import sys; sys.path[:] = {sys.path!r}; from bench.running.node import main; main({theirs.fileno()})"
        # A session of its own: Ctrl-C in a terminal is heard by the run alone, which ends the others in order.
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._channel, self._lock = Channel(ours), threading.Lock()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fork(self) -> tuple[int, Channel]:
        """A process forked from it, and the channel to that."""
        ours, theirs = socket.socketpair()
        try:
            return self._ask({"do": "fork"}, [theirs.fileno()])["pid"], Channel(ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def end(self, pid: int) -> int | None:
        """End a process with all that it started; its exit code, if it was still there."""
        try:
            return self._ask({"do": "end", "pid": pid, "grace": 0.0})["exitcode"]
        except (OSError, EOFError):
            return None

    def _ask(self, request: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        with self._lock:
            self._channel.send(request, files=files)
            return self._channel.receive()[0].data

    def close(self) -> None:
        """Let it end everything, and wait for it."""
        with suppress(OSError):
            self._channel.socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for an answer
        with suppress(OSError):
            self._channel.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_roots: list[_Root] = []
_starting = threading.Lock()


def _root() -> _Root:
    """The root of this process's workers: one for all engines, since it takes seconds to import torch."""
    with _starting:
        if not _roots or not _roots[-1].is_alive:
            _roots.append(_Root())
            atexit.register(_roots[-1].close)
        return _roots[-1]


class _Worker:
    """A worker process (``bench.running.worker``) and the nursery of its solvers."""

    def __init__(self, root: _Root, shared: Shared):
        self._root = root
        self._nursery, nursery = root.fork()
        self._pid, self._channel = root.fork()
        try:
            about = {"shared": asdict(shared), "folder": str(Path.cwd()), "path": sys.path}
            nursery.send({"do": "prepare", **about})
            nursery.receive()
            self._channel.send({"do": "work", **about}, files=[nursery.socket.fileno()])
            self._channel.receive()
        except BaseException:
            self.end()
            raise
        finally:
            nursery.close()

    def ask(self, request: dict[str, Any], most: float) -> Any:
        """What it answers. Raises an error of ``bench.errors``, or TimeoutError, or something else if it dies.

        Without a nursery it is of no use any more: WorkerDied, and nobody knows why.
        """
        self._channel.socket.settimeout(most)
        self._channel.send(request)
        answer = self._channel.receive()[0].data
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["message"])
        if "lost" in answer:
            raise WorkerDied(None)
        return answer["result"]

    @property
    def is_there(self) -> bool:
        """Whether it can be asked: one that has nothing to answer can only be read from when it is gone."""
        return not select.select([self._channel.socket], [], [], 0)[0]

    def end(self) -> int | None:
        """End it with its solvers; its exit code, if it was still there."""
        code = self._root.end(self._pid)
        self._root.end(self._nursery)
        with suppress(OSError):
            self._channel.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        self._channel.close()
        return code


def failure(error: BaseException, timeout: float) -> dict[str, Any]:
    """The outcome of a batch whose call did not return."""
    if isinstance(error, TimeoutError):
        message = f"not done within the timeout of {timeout:g} s; its worker was stopped"
        return {"status": "timeout", "error_type": "TimeoutError", "error_message": message}
    if isinstance(error, WorkerDied | Lost):
        return {"status": "crashed", "error_type": type(error).__name__, "error_message": message_of(error)}
    return {"status": "error", "error_type": type(error).__name__, "error_message": message_of(error)}


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
