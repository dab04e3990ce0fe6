"""Worker processes that can be killed: a crash, a hang or lack of memory costs one batch, never the run.

The seam to other engines is ``Engine``: calls that return ``concurrent.futures`` futures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import TracebackType
from typing import Any, Protocol

from pebble import ProcessExpired, ProcessPool

from bench.errors import message_of
from bench.grid.cells import Cell, Ref
from bench.running.environment import Shared


class _Process(ForkServerProcess):
    """A process that does not import the program that started it: nothing of that is needed in a worker, and a script
    without ``if __name__ == "__main__"`` would start workers of its own from there.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        main = sys.modules["__main__"]
        hidden = {n: vars(main).pop(n) for n in ("__file__", "__spec__") if n in vars(main)}
        main.__spec__ = None
        try:
            return ForkServerProcess._Popen(process_obj)  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            vars(main).update(hidden)


class _Context(ForkServerContext):
    Process = _Process


class Lost(Exception):  # noqa: N818  not an error of ours
    """A worker elsewhere is gone, and with it the reason."""


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
    """Worker processes on this machine, forked from a server that has torch imported once.

    Args:
        workers: how many.
        shared: threads, device and limits of each.
    """

    def __init__(self, workers: int, shared: Shared):
        forked = _Context()
        forked.set_forkserver_preload(["bench.running.worker"])
        self.workers = workers
        self._pool = ProcessPool(max_workers=workers, context=forked, initializer=_start, initargs=[shared])

    def solve(self, cells: Sequence[Cell], timeout: float) -> Future[list[dict[str, Any]]]:
        """Solve a batch in a worker; the timeout counts from when a worker takes it up."""
        return self._pool.schedule(_solve, args=[cells], timeout=timeout)

    def check(self, solvers: Sequence[Ref]) -> Future[None]:
        """Build the solvers in a worker."""
        return self._pool.schedule(_check, args=[solvers])

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        self._pool.stop()
        self._pool.join()

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pool.close()
            self._pool.join()
        else:
            self.stop()


# bench.running.worker imports torch: only worker processes do so.


def _start(shared: Shared) -> None:
    from bench.running import worker

    worker.start(shared)


def _solve(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    from bench.running import worker

    return worker.run(cells)


def _check(solvers: Sequence[Ref]) -> None:
    from bench.running import worker

    worker.check(solvers)


def failure(error: BaseException, timeout: float) -> dict[str, Any]:
    """The outcome of a batch whose call did not return."""
    if isinstance(error, TimeoutError):
        message = f"not done within the timeout of {timeout:g} s; its worker was stopped"
        return {"status": "timeout", "error_type": "TimeoutError", "error_message": message}
    if isinstance(error, ProcessExpired):
        code = error.exitcode
        text = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        hint = " (the system stops processes so when memory runs out)" if code == -9 else ""
        return {
            "status": "crashed",
            "error_type": "ProcessExpired",
            "error_message": f"its worker died: {text}{hint}",
        }
    if isinstance(error, Lost):
        return {"status": "crashed", "error_type": "Lost", "error_message": message_of(error)}
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
