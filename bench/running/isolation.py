"""Solvers in processes of their own, as the worker that scores them sees it.

The cells of one solver with one value for every parameter run in one process, which is forked for them from one that
has imported the solver's file alone. It is watched from outside: how long it works, whether it lives, what it prints.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bench import errors
from bench.errors import BenchError, PluginError
from bench.grid.cells import Ref
from bench.methods.make_problem import Sensed
from bench.running.channel import Channel, Message
from bench.running.environment import Shared
from bench.running.forked import Ended, Process, TooLong
from bench.running.limits import WALL, death
from bench.running.solve import Attempt, Given, counts
from bench.running.solving import TRACE, solve_request
from bench.seeds import canonical

#: multiplications beyond which no cell is solved; a number for those who send nonsense
MOST_MACS = 1e24
#: seconds that a process has to clear up behind itself
GRACE = 2.0


class SolverFailed(Exception):  # noqa: N818  a row, not an error of ours
    """A solver came to no estimate.

    Attributes:
        outcome: the columns of its row.
    """

    def __init__(self, outcome: dict[str, Any]):
        super().__init__(outcome["error_message"])
        self.outcome = outcome


class NurseryLost(Exception):  # noqa: N818
    """The process that solvers' processes are forked from is gone: this worker is of no use any more."""


class Solvers:
    """The solvers' processes of one worker.

    Args:
        nursery: a process that runs no plug-in and holds no truth, to fork them from.
        shared: threads, device and limits.
    """

    def __init__(self, nursery: Channel, shared: Shared):
        self._nursery, self._shared = nursery, shared
        self._modules: OrderedDict[str, Process | None] = OrderedDict()
        self._solvers: OrderedDict[str, Process] = OrderedDict()
        # A model and a GPU's context are large; a search comes back to its candidates.
        self._room = 1 if shared.device.startswith("cuda") else 2

    def environment(self) -> dict[str, str]:
        """What the machine is, reported by a process that runs no plug-in and then goes: it may take up a GPU."""
        process = self._fork_nursery()
        try:
            answer = process.ask({"do": "about", "device": self._shared.device}, cpu=120.0, wall=480.0)
            return answer.data["environment"]
        finally:
            process.end()

    def check(self, refs: Sequence[Ref]) -> None:
        """Build plug-ins. Raises what is wrong with the first that cannot be built: one of ``bench.errors``."""
        by_file: dict[str, list[Ref]] = {}
        for ref in refs:
            by_file.setdefault(_file(ref), []).append(ref)
        for group in by_file.values():
            try:
                process = self._forked(group[0])
            except SolverFailed as failed:
                raise PluginError(f"{_what(group[0])} cannot be imported and built: {failed}") from failed
            try:
                self._load(process, group, build=True)
            finally:
                process.end()

    def solve(self, given: Given, sensed: Sequence[Sensed], timeout: float) -> Attempt:
        """What the solver comes to, as far as it can be believed. Raises SolverFailed, PluginError.

        A cell whose process dies is to blame if nothing else was solved there before; else it gets one of its own.
        """
        refs = [given.solver] if given.prior is None else [given.solver, given.prior]
        name = canonical([[_file(r), r.settings] for r in refs])
        used = self._solvers.pop(name, None)
        process = used or self._fork(refs)
        shape = (given.samples, len(sensed), *sensed[0].y.shape)
        size = np.dtype(given.dtype).itemsize * int(np.prod(shape))
        try:
            request = solve_request(given, sensed)
            cpu = timeout * max(1, self._shared.threads)
            answer = process.ask(*request, cpu=cpu, wall=WALL * timeout, most=size)
        except TooLong as error:
            process.end()
            message = f"not done within the timeout of {timeout:g} s ({error}); its process was ended"
            raise SolverFailed(_failure("timeout", "TimeoutError", message, process.printed)) from error
        except Ended as error:
            code = process.end()
            if used is not None:  # by cells before this one, which may have left it about to die
                return self._solve_again(given, sensed, timeout)
            raise SolverFailed(_failure("crashed", "Crashed", death(code), process.printed)) from error
        if "failure" in answer.data:
            return self._failed(name, process, answer.data["failure"])
        self._keep(name, process)
        return _believed(answer, shape, given.dtype)

    def _solve_again(self, given: Given, sensed: Sequence[Sensed], timeout: float) -> Attempt:
        """The second attempt, in a process of its own; the row of a cell that is solved now says that it is one."""
        done = self.solve(given, sensed, timeout)
        return Attempt(done.x, {**done.cost, "attempt": 2})

    def _failed(self, name: str, process: Process, failure: dict[str, str]) -> Attempt:
        status, kind, message = (str(failure[k]) for k in ("status", "error_type", "error_message"))
        outcome = _failure(status, kind, message, process.printed)
        outcome["traceback"] = str(failure.get("traceback", ""))[:TRACE]
        if outcome["status"] in ("error", "invalid"):
            self._keep(name, process)
        else:
            process.end()
        raise SolverFailed(outcome)

    def _keep(self, name: str, process: Process) -> None:
        process.printed = ""
        self._solvers[name] = process
        while len(self._solvers) > self._room:
            self._solvers.popitem(last=False)[1].end(GRACE)

    def _fork(self, refs: Sequence[Ref]) -> Process:
        process = self._forked(refs[0])
        try:
            self._load(process, refs, build=True)
        except BenchError:
            process.end()
            raise
        return process

    def _forked(self, ref: Ref) -> Process:
        """A process for a solver, with its file imported if that can be."""
        is_used = _file(ref) in self._modules
        if (module := self._module(ref)) is None:
            return self._fork_nursery()
        try:
            return Process.fork(module.channel)
        except Ended as error:
            self._drop(_file(ref))
            if is_used:  # an earlier cell may have ended it
                return self._forked(ref)
            # what the import has started can end the process that it ran in
            raise SolverFailed(_failure("crashed", "Crashed", death(None), module.printed)) from error

    def _fork_nursery(self) -> Process:
        try:
            return Process.fork(self._nursery)
        except Ended as error:
            raise NurseryLost from error

    def _module(self, ref: Ref) -> Process | None:
        """A process that has imported the solver's file; None where none can be forked from one that has.

        CUDA does not survive a fork, nor do threads: of torch, or any that the import has started.
        """
        if self._shared.device.startswith("cuda") or self._shared.threads > 1:
            return None
        if (file := _file(ref)) not in self._modules:
            self._modules[file] = self._import(ref)
        self._modules.move_to_end(file)
        while len(self._modules) > self._room:
            self._drop(next(iter(self._modules)))
        return self._modules[file]

    def _import(self, ref: Ref) -> Process | None:
        process = self._fork_nursery()
        try:
            if self._load(process, [ref], build=False)["threads"] == 1:
                return process
        except BenchError:
            process.end()
            raise
        process.end()
        return None

    def _drop(self, file: str) -> None:
        """Let a module's process go, after those of its solvers, which would be orphans of it."""
        module = self._modules.pop(file)
        if module is None:
            return
        for name, process in list(self._solvers.items()):
            if process.parent is module.channel:
                del self._solvers[name]
                process.end(GRACE)
        module.end(GRACE)

    def _load(self, process: Process, refs: Sequence[Ref], *, build: bool) -> dict[str, Any]:
        """Import and build plug-ins in a process. Raises PluginError and SettingError; the process is then ended."""
        try:
            request = {"do": "load", "refs": [asdict(r) for r in refs], "build": build}
            answer = process.ask(request, cpu=self._shared.loading, wall=2 * self._shared.loading).data
        except TooLong as error:
            raise PluginError(
                f"{_what(refs[0])} takes too long to be imported and built: not done after {error}"
            ) from error
        except Ended as error:
            raise PluginError(f"{_what(refs[0])} cannot be imported and built: {death(process.end())}") from error
        if "error" in answer:
            kind = getattr(errors, str(answer["error"]), PluginError)
            raise kind(str(answer.get("message")))
        return answer


def _what(ref: Ref) -> str:
    return f"{ref.kind} {ref.name!r} ({ref.plugin.path})"


def _file(ref: Ref) -> str:
    return ref.path or f"{ref.kind} {ref.name}"


def _believed(answer: Message, shape: tuple[int, ...], dtype: str) -> Attempt:
    """An answer whose parts are of the kinds that a row holds, whatever ran in the process that it is from."""
    try:
        cost = answer.data["cost"]
        seconds, peak, note = float(cost["seconds"]), float(cost["peak_rss_mb"]), cost.get("prior_note")
        (x,) = answer.arrays
        sound = x.shape == shape and x.dtype == np.dtype(dtype) and bool(np.isfinite(x).all())
        plain = note is None or (isinstance(note, str) and len(note) < 1000)
        if not (sound and plain and 0 <= seconds < 1e12 and 0 <= peak < 1e12):
            raise ValueError
        columns = {**counts(cost), **_complexity(cost), "seconds": seconds, "peak_rss_mb": peak, "prior_note": note}
        return Attempt(x.astype(np.float64), columns)
    except (ValueError, TypeError, KeyError) as error:
        message = "its process sent something other than an estimate of the right shape and type"
        raise SolverFailed(_failure("invalid", "SolverError", message, "")) from error


def _complexity(cost: Mapping[str, Any]) -> dict[str, float | None]:
    """Parameters and MACs, where they are known. Raises ValueError, TypeError or OverflowError for something else."""
    given = {name: cost.get(name) for name in ("parameters", "macs")}
    if not all(v is None or 0 <= float(v) < MOST_MACS for v in given.values()):
        raise ValueError
    parameters, macs = given["parameters"], given["macs"]
    whole = None if parameters is None else int(parameters)
    return {"parameters": whole, "macs": None if macs is None else float(macs)}


def _failure(status: str, kind: str, message: str, printed: str) -> dict[str, Any]:
    outcome = {"status": status, "error_type": kind, "error_message": message}
    return {**outcome, "output": printed} if printed.strip() else outcome
