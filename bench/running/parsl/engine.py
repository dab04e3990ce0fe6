"""Cells to the workers of a Parsl site and back, behind the same seam as local workers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

from bench import errors
from bench.errors import ResultError
from bench.grid.cells import Cell, Ref
from bench.running.environment import Shared
from bench.running.local import Lost, WorkerDied
from bench.running.parsl.blocks import noted
from bench.running.parsl.order import Order, code_behind
from bench.running.parsl.remote import carry_out
from bench.running.parsl.site import Site

#: blocks that may be lost under a batch before it is suspected: allocations end, nodes are taken back
LIVES = 5
#: seconds that building the solvers may take
CHECKING = 600.0


class ParslEngine:
    """The workers of a started site.

    Args:
        site: what was started.
        kernel: its DataFlowKernel.
        shared: threads, device and limits of each worker.
    """

    def __init__(self, site: Site, kernel: Any, shared: Shared):
        self.workers = site.workers
        self._site, self._kernel, self._shared = site, kernel, shared
        self._folder = str(Path.cwd())

    def solve(self, cells: Sequence[Cell], timeout: float) -> Future[list[dict[str, Any]]]:
        """Solve a batch; the timeout counts from when a worker takes it up."""
        code = code_behind(cells)
        return self._send(Order(self._shared, self._folder, code, timeout, cells=tuple(cells)).text)

    def check(self, solvers: Sequence[Ref]) -> Future[None]:
        """Build the solvers on a worker, and see that its code is ours."""
        code = code_behind((), solvers)
        return self._send(Order(self._shared, self._folder, code, CHECKING, solvers=tuple(solvers)).text)

    def _send(self, text: str) -> Future[Any]:
        outer: Future[Any] = Future()
        self._try(text, outer, LIVES)
        return outer

    def _try(self, text: str, outer: Future[Any], lives: int) -> None:
        def arrived(inner: Future[str]) -> None:
            error = inner.exception()
            if isinstance(error, ManagerLost) and lives > 1:
                self._try(text, outer, lives - 1)
            elif error is not None:
                outer.set_exception(self._translated(error))
            else:
                _settle(outer, json.loads(inner.result()))

        try:
            inner = self._kernel.submit(carry_out, [text], "all", False, None, {})
            inner.add_done_callback(arrived)
        except Exception as error:  # of a site that is in no state to take anything
            outer.set_exception(self._translated(error))

    def _translated(self, error: BaseException) -> Exception:
        """A worker that is gone may have been the cell's doing; anything else is the site's."""
        if isinstance(error, WorkerLost | ManagerLost):
            return Lost(f"its worker on {error.hostname} died")
        return ResultError(f"{self._site.name}: its workers cannot solve: {type(error).__name__}: {error}")


def _settle(outer: Future[Any], answer: dict[str, Any]) -> None:
    match answer.get("error"):
        case None:
            outer.set_result(answer["result"])
        case "TimeoutError":
            outer.set_exception(TimeoutError())
        case "WorkerDied":
            outer.set_exception(WorkerDied(answer["exitcode"]))
        case name:
            outer.set_exception(getattr(errors, name)(answer["message"]))


class OpenSite:
    """A started site, which lends itself to every stage of a run.

    Args:
        site: which.
        kernel: Parsl's DataFlowKernel.
    """

    def __init__(self, site: Site, kernel: Any):
        self.site, self._kernel = site, kernel

    @contextmanager
    def engine(self, shared: Shared) -> Iterator[ParslEngine]:
        """The site as an engine: what ``bench.running.runner.Runner`` takes."""
        yield ParslEngine(self.site, self._kernel, shared)


@contextmanager
def opened(site: Site, folder: Path) -> Iterator[OpenSite]:
    """Start a site; its logs go to ``folder``. On leaving, blocks are given back."""
    from parsl.dataflow.dflow import DataFlowKernel

    if site.config.run_dir == "runinfo":  # the default, in the working directory
        site.config.run_dir = str(folder)
    with noted(site, folder):
        kernel = DataFlowKernel(site.config)
        try:
            yield OpenSite(site, kernel)
        finally:
            kernel.cleanup()
