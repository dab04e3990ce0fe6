"""What happens in a worker: cells in, an outcome for each out. It measures and scores, and runs no solver."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import BenchError, message_of
from bench.grid.cells import Cell, Ref, cell_of
from bench.running.channel import Channel, Message
from bench.running.environment import Shared
from bench.running.estimates import keep_picture
from bench.running.isolation import NurseryLost, SolverFailed, Solvers
from bench.running.score import Taken, given, outcome, taken
from bench.running.solving import configure, status_of
from bench.seeds import digest


def work(channel: Channel, message: Message, files: list[int]) -> None:
    """Become a worker: answer what the run asks until nobody does. The nursery's channel comes with the request."""
    import socket

    shared = Shared(**message.data["shared"])
    os.chdir(message.data["folder"])
    sys.path[:] = message.data["path"]  # as the run has it now: the root may be older, in a notebook
    configure(shared)
    os.dup2(2, 1)  # what the plug-ins of data print is no result of the command
    worker = Worker(shared, Solvers(Channel(socket.socket(fileno=files[0])), shared))
    channel.send({"ready": True})
    while True:
        request, _ = channel.receive()
        channel.send(worker.answer(request.data))


class Worker:
    """Solves cells.

    Args:
        shared: threads, device and limits.
        solvers: where solvers run.
    """

    def __init__(self, shared: Shared, solvers: Solvers):
        self._shared, self._solvers = shared, solvers
        self._environment: dict[str, str] | None = None
        self._most: dict[str, int] = {}  # shots of a solver that memory holds at once, where it once did not

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The outcomes of cells, or nothing for solvers that can be built; or an error of ``bench.errors``.

        Without a nursery nothing of this request has run, and this worker is to be replaced: the answer says so.
        """
        try:
            if "check" in request:
                self._solvers.check([Ref(**r) for r in request["check"]])
                return {"result": None}
            return {"result": self.run([cell_of(c) for c in request["cells"]], request["timeout"])}
        except NurseryLost:
            return {"lost": "nursery"}
        except BenchError as error:
            return {"error": type(error).__name__, "message": message_of(error, 5000)}

    def run(self, cells: Sequence[Cell], timeout: float) -> list[dict[str, Any]]:
        """Solve a batch: one solver with one degradation. One outcome per cell, in order.

        Raises ResultError if the results folder cannot be written.
        """
        started = datetime.now(UTC).isoformat(timespec="seconds")
        first = self._environment is None
        if self._environment is None:
            self._environment = self._solvers.environment()
        about = {"device": self._shared.device, "env_id": digest(self._environment)[:12], "started_at": started}
        outcomes = self._outcomes(cells, timeout)
        # Once per worker: the journal need not repeat it on every line.
        return [{**about, **o, "environment": self._environment if first else None} for o in outcomes]

    def _outcomes(self, cells: Sequence[Cell], timeout: float) -> list[dict[str, Any]]:
        try:
            shots = [taken(c) for c in cells]
            if len(cells) > 1 and not self._is_one_batch(shots):
                return self._in_parts(cells, 1, timeout)
            if len(cells) > (most := self._most.get(cells[0].label, len(cells))):
                return self._in_parts(cells, most, timeout)
            solved = self._solvers.solve(given(cells, self._shared.device), [s.sensed for s in shots], timeout)
            x = solved.x.swapaxes(0, 1)
            rows = [outcome(c, s, xi, solved.cost) for c, s, xi in zip(cells, shots, x, strict=True)]
        except NurseryLost:
            raise
        except Exception as error:  # every failure of a plug-in is a row, never the end of the run
            if len(cells) > 1:
                return self._in_parts(cells, self._fewer(cells, error), timeout)
            return [{"batch": 1, **_failure(error)}]
        for cell, shot, xi in zip(cells, shots, x, strict=True):
            if cell.keep and self._shared.pictures:
                keep_picture(Path(self._shared.pictures), cell, shot.measurement, xi)
        return [{"batch": len(cells), **row} for row in rows]

    def _is_one_batch(self, shots: Sequence[Taken]) -> bool:
        """Whether to solve shots at once: not on a CPU, which is faster one by one, and whose FFTs would round
        differently with the size of the batch.
        """
        alike = len({(s.measurement.y.shape, s.psf.shape) for s in shots}) == 1
        return alike and self._shared.device != "cpu"

    def _fewer(self, cells: Sequence[Cell], error: Exception) -> int:
        """How many to solve at once after a failure: half where memory ran out, for all that follow too; else one, to
        learn whose fault it was.
        """
        if _failure(error)["status"] != "oom":
            return 1
        self._most[cells[0].label] = half = len(cells) // 2
        return half

    def _in_parts(self, cells: Sequence[Cell], size: int, timeout: float) -> list[dict[str, Any]]:
        parts = [cells[i : i + size] for i in range(0, len(cells), size)]
        return [o for part in parts for o in self._outcomes(part, timeout * len(part) / len(cells))]


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, SolverFailed):
        return error.outcome
    return {"status": status_of(error), "error_type": type(error).__name__, "error_message": message_of(error)}
