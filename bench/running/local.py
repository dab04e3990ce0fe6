"""Worker processes that can be killed: a crash, a hang or lack of memory costs one batch, never the run.

The seam to other engines is ``Engine``: calls that return ``concurrent.futures`` futures. What the processes are:
``bench.running.node``.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any, Protocol

from bench import errors
from bench.errors import BenchError, ResultError, message_of
from bench.grid.cells import Cell, Ref
from bench.running.channel import Channel, MessageError
from bench.running.environment import Shared
from bench.running.limits import LOADING, WALL, death

#: seconds beyond the limits of what a worker was asked after which it is given up: measuring and scoring have none
GRACE = 120.0
#: how often a worker is started again when it dies before it can be asked anything
STARTS = 3


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
        self._shared, self._root, self._lock = shared, None, threading.Lock()
        self._is_stopped = False
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def solve(self, cells: Sequence[Cell], timeout: float) -> Future[list[dict[str, Any]]]:
        """Solve a batch in a worker; the timeout counts from when its solver starts."""
        most = 2 * WALL * timeout + (1 + len(cells)) * (2 * LOADING[1] + GRACE)  # once together, once one by one
        return self._ask({"cells": [asdict(c) for c in cells], "timeout": timeout}, most)

    def check(self, solvers: Sequence[Ref]) -> Future[None]:
        """Build the solvers in processes that end then."""
        return self._ask({"check": [asdict(r) for r in solvers]}, len(solvers) * 2 * LOADING[1] + GRACE)

    def _ask(self, request: dict[str, Any], most: float) -> Future[Any]:
        call = _Call(request, most)
        self._calls.put(call)
        return call.future

    def _serve(self) -> None:
        """What each thread does: hand calls to a worker of its own, and replace it when it dies."""
        worker = None
        while (call := self._calls.get()) is not None and not self._is_stopped:
            if not call.future.set_running_or_notify_cancel():
                continue
            try:
                worker = worker or self._started()
                call.future.set_result(worker.ask(call.request, call.most))
            except BaseException as error:
                if not isinstance(error, BenchError) and worker is not None:
                    error, worker = worker.end(error), None
                call.future.set_exception(error)
        if worker is not None and not self._is_stopped:
            worker.end()

    def _started(self) -> _Worker:
        for _ in range(STARTS):
            if self._is_stopped:
                break
            with suppress(OSError, EOFError, MessageError):
                with self._lock:
                    if self._is_stopped:
                        break
                    if self._root is None or not self._root.is_alive:
                        self._root = _Root()
                return _Worker(self._root, self._shared)
        raise ResultError("the workers die again and again, and nothing gets done")

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        self._is_stopped = True
        for _ in self._threads:
            self._calls.put(None)
        with self._lock:
            if self._root is not None:
                self._root.close()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for _ in self._threads:
                self._calls.put(None)
            for thread in self._threads:
                thread.join()
        self.stop()


class _Call:
    """A request to whichever worker is free, and the future of its answer."""

    def __init__(self, request: dict[str, Any], most: float):
        self.request, self.most = request, most
        self.future: Future[Any] = Future()


class _Root:
    """The process that all others are forked from (``bench.running.node``)."""

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
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Worker:
    """A worker process (``bench.running.worker``) and the nursery of its solvers."""

    def __init__(self, root: _Root, shared: Shared):
        self._root = root
        self._nursery, nursery = root.fork()
        self._pid, self._channel = root.fork()
        self._timed_out = False
        try:
            about = {"shared": asdict(shared)}
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
        """What it answers. Raises an error of ``bench.errors``, or TimeoutError, or something else if it dies."""
        self._channel.socket.settimeout(most)
        self._channel.send(request)
        answer = self._channel.receive()[0].data
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["message"])
        return answer["result"]

    def end(self, error: BaseException | None = None) -> BaseException:
        """End it with its solvers; what ``error``, of a call, comes to."""
        self._channel.close()
        code = self._root.end(self._pid)
        self._root.end(self._nursery)
        return error if isinstance(error, TimeoutError) else WorkerDied(code)


def failure(error: BaseException, timeout: float) -> dict[str, Any]:
    """The outcome of a batch whose call did not return."""
    if isinstance(error, TimeoutError):
        message = f"not done within the timeout of {timeout:g} s; its worker was stopped"
        return {"status": "timeout", "error_type": "TimeoutError", "error_message": message}
    if isinstance(error, WorkerDied | Lost):
        return {"status": "crashed", "error_type": type(error).__name__, "error_message": message_of(error)}
    return {"status": "error", "error_type": type(error).__name__, "error_message": message_of(error)}


def batches(cells: Sequence[Cell], size: int) -> list[list[Cell]]:
    """Cells that one solver can do in one call: same solver, settings and degradation, at most ``size``."""
    batches: list[list[Cell]] = []
    for cell in cells:
        last = batches[-1] if batches else []
        alike = last and (last[0].solver, last[0].solver.settings) == (cell.solver, cell.solver.settings)
        if alike and last[0].shot.degradation == cell.shot.degradation and len(last) < size:
            last.append(cell)
        else:
            batches.append([cell])
    return batches


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
