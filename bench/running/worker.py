"""What happens in a worker process: a batch of cells in, one outcome for each out."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from bench.errors import SolverError, message_of
from bench.grid.cells import Cell, Ref, instance
from bench.running.environment import Shared, env_id, environment
from bench.running.estimates import keep_picture
from bench.running.solve import Solved, solve

_shared = Shared()


def start(shared: Shared) -> None:
    """Prepare this process: threads, memory limit, and an end if the parent should die."""
    global _shared  # one worker, one configuration: called before any task
    _shared = shared
    torch.set_num_threads(shared.threads)
    threadpool_limits(shared.threads)  # BLAS in numpy and scipy: workers must not fight over the cores
    if shared.device.startswith("cuda"):  # the CPU is deterministic, and this import of the compiler takes seconds
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    if shared.memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (shared.memory, shared.memory))
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def check(refs: Sequence[Ref]) -> None:
    """Build solvers, so that a wrong setting stops the run before anything is computed."""
    for ref in refs:
        instance(ref)


def run(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Solve a batch: one solver, shots of one image size and PSF size. Returns one outcome per cell, in order."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    context = {
        "batch": 1 if _shared.device == "cpu" else len(cells),
        "device": _shared.device,
        "env_id": env_id(_shared.device),
        "started_at": started,
    }
    try:
        outcomes = [_stored(cell, solved) for cell, solved in zip(cells, solve(cells, _shared.device), strict=True)]
    except Exception as error:  # every failure of a plug-in is a row, never the end of the run
        if len(cells) > 1:
            return [o for cell in cells for o in run([cell])]  # find out whose fault it was
        outcomes = [
            {"status": _status(error), "error_type": type(error).__name__, "error_message": message_of(error)}
        ]
    context["environment"] = _introduction()  # last: what is thrown away above would take it along
    return [{**context, **o} for o in outcomes]


def _stored(cell: Cell, solved: Solved) -> dict[str, Any]:
    if cell.keep and _shared.pictures:
        keep_picture(Path(_shared.pictures), cell, solved.measurement, solved.x)
    return solved.outcome


def _status(error: Exception) -> str:
    if (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "can't allocate memory" in message_of(error).lower()
    ):
        return "oom"
    return "invalid" if isinstance(error, SolverError) else "error"


@lru_cache(maxsize=1)
def _introduced() -> list[bool]:
    return []


def _introduction() -> dict[str, str] | None:
    """The environment, once per worker: the journal need not repeat it on every line."""
    if _introduced():
        return None
    _introduced().append(True)
    return environment(_shared.device)
