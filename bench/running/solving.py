"""What a solver's process answers (see ``bench.running.node``): it loads plug-ins and solves."""

from __future__ import annotations

import os
import resource
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from bench.contracts import NoiseLevel
from bench.errors import BenchError, PluginError, SolverError, message_of
from bench.grid.cells import Ref, instance
from bench.methods.make_problem import Sensed
from bench.plugins.lookup import load_plugin
from bench.running.channel import Channel, Message
from bench.running.environment import Shared, environment
from bench.running.solve import Given, attempt

#: characters of a traceback that are stored, its end
TRACE = 4000

# --- the requests, as the worker sends them -------------------------------------------------------------------


def solve_request(given: Given, sensed: Sequence[Sensed]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The message that asks for a batch to be solved. A blind solver's process is sent neither PSF nor level."""
    blank = np.ones((1, 1))
    arrays = [a for s in sensed for a in (s.y, blank if given.blind else s.psf, s.burst) if a is not None]
    levels = [[0.0, 0.0] if given.blind else [float(s.level.gain), float(s.level.sigma)] for s in sensed]
    return {"do": "solve", "given": asdict(given), "levels": levels}, arrays


def _given(message: Message) -> tuple[Given, list[Sensed]]:
    data, arrays = message.data["given"], iter(message.arrays)
    levels = [NoiseLevel(*pair) for pair in message.data["levels"]]
    burst = len(message.arrays) == 3 * len(levels)
    sensed = [Sensed(next(arrays), next(arrays), level, next(arrays) if burst else None) for level in levels]
    prior = None if data["prior"] is None else Ref(**data["prior"])
    return Given(**{**data, "solver": Ref(**data["solver"]), "prior": prior}), sensed


# --- the answers ----------------------------------------------------------------------------------------------


def prepare(channel: Channel, message: Message, _: list[int]) -> None:
    """Threads and a memory limit, for this process and all that are forked from it."""
    os.chdir(message.data["folder"])
    sys.path[:] = message.data["path"]  # as the run has it now: the root may be older, in a notebook
    configure(Shared(**message.data["shared"]))
    channel.send({"ready": True})


def configure(shared: Shared) -> None:
    """Set threads and the memory limit of this process."""
    torch.set_num_threads(shared.threads)
    threadpool_limits(shared.threads)  # BLAS in numpy and scipy: workers must not fight over the cores
    if shared.device.startswith("cuda"):  # the CPU is deterministic, and this import of the compiler takes seconds
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    if shared.memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (shared.memory, shared.memory))


def load(channel: Channel, message: Message, _: list[int]) -> None:
    """Import the plug-ins named, and build them where that is asked for. Answers what is wrong with them."""
    with suppress(OSError):  # where memory runs out, the system should end this process and not the one that scores
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    try:
        for ref in (Ref(**r) for r in message.data["refs"]):
            (instance if message.data["build"] else _import)(ref)
    except BaseException as error:  # of any plug-in's import: the process that asked must hear of it
        channel.send(_wrong(error))
    else:
        channel.send({"threads": threading.active_count()})


def _import(ref: Ref) -> None:
    load_plugin(ref.plugin)


def _wrong(error: BaseException) -> dict[str, Any]:
    """An error of ours by its name, any other as a PluginError."""
    kind = type(error) if isinstance(error, BenchError) else PluginError
    return {"error": kind.__name__, "message": message_of(error, 2000)}


def answer(channel: Channel, message: Message, _: list[int]) -> None:
    """Solve a batch. Answers the estimates and what they took, or the columns of a failed row."""
    try:
        done = attempt(*_given(message))
    except BaseException as error:  # whatever a plug-in raises is a row, never the end of the run
        _flush()
        channel.send({"failure": _failure(error)})
    else:
        channel.send({"cost": done.cost}, [done.x])


def _flush() -> None:
    """Hand over what was printed: a failed row shows the end of it."""
    with suppress(Exception):  # a plug-in may have put anything in their places
        sys.stdout.flush()
        sys.stderr.flush()


def about(channel: Channel, message: Message, _: list[int]) -> None:
    """What this machine is. Asked of a process that runs no plug-in."""
    channel.send({"environment": environment(message.data["device"])})


def _failure(error: BaseException) -> dict[str, str]:
    what = message_of(error)
    if isinstance(error, SystemExit):
        what = f"the solver called sys.exit({error.code!r})"[:200]
    trace = "".join(traceback.format_exception(error)).encode("utf-8", "replace").decode()
    row = {"status": status_of(error), "error_type": type(error).__name__[:200], "error_message": what}
    return {**row, "traceback": trace[-TRACE:]}


def status_of(error: BaseException) -> str:
    """The status of a row that failed with this error."""
    text = message_of(error).lower()
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "oom"
    if isinstance(error, SolverError):
        return "invalid"
    return "error" if isinstance(error, Exception | SystemExit) else "crashed"
