"""Solvers in processes of their own, as the worker that scores them sees it.

The cells of one solver with one value for every parameter run in one process, which is forked for them from one that
has imported the solver's file alone. It is watched from outside: how long it works, whether it lives, what it prints.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import errors
from bench.errors import BenchError, PluginError
from bench.grid.cells import Ref
from bench.methods.make_problem import Sensed
from bench.running.channel import Channel, Inbox, Message, MessageError, encode
from bench.running.environment import Shared
from bench.running.limits import WALL, death
from bench.running.solve import Attempt, Given, counts
from bench.running.solving import TRACE, solve_request
from bench.seeds import canonical

#: characters of what a failed solver printed last
TAIL = 2000
#: multiplications beyond which no cell is solved; a number for those who send nonsense
MOST_MACS = 1e24
#: seconds that a process has to clear up behind itself
GRACE = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")


class SolverFailed(Exception):  # noqa: N818  a row, not an error of ours
    """A solver came to no estimate.

    Attributes:
        outcome: the columns of its row.
    """

    def __init__(self, outcome: dict[str, Any]):
        super().__init__(outcome["error_message"])
        self.outcome = outcome


class _Ended(Exception):  # noqa: N818
    """The process is gone, or sent what is no answer."""


class NurseryLost(Exception):  # noqa: N818
    """The process that solvers' processes are forked from is gone: this worker is of no use any more."""


class _TooLong(Exception):  # noqa: N818
    """The process has used up its time.

    Attributes:
        used: by the clock or of the processor, to be shown.
    """


@dataclass
class _Process:
    """A forked process: where it is asked, what it prints, by whom it is ended."""

    parent: Channel
    pid: int
    channel: Channel
    output: int
    printed: str = ""
    is_ended: bool = False

    @classmethod
    def fork(cls, parent: Channel) -> _Process:
        """Fork the process at the other end of ``parent``. Raises _Ended if that is gone."""
        ours, theirs = socket.socketpair()
        output, write = os.pipe()
        os.set_blocking(output, False)
        try:
            parent.send({"do": "fork"}, files=[theirs.fileno(), write])
            answer, _ = parent.receive()
        except (EOFError, OSError) as error:
            ours.close()
            os.close(output)
            raise _Ended from error
        finally:
            theirs.close()
            os.close(write)
        return cls(parent, answer.data["pid"], Channel(ours), output)

    def end(self, grace: float = 0.0) -> int | None:
        """End it with all that it started; its exit code, the first time."""
        if self.is_ended:
            return None
        self.is_ended = True
        self.channel.close()
        try:
            self.parent.send({"do": "end", "pid": self.pid, "grace": grace})
            return self.parent.receive()[0].data["exitcode"]
        except (EOFError, OSError):  # its parent went before it, and it with its parent
            return None
        finally:
            self._read()
            os.close(self.output)

    def ask(
        self,
        request: dict[str, Any],
        arrays: Sequence[np.ndarray] = (),
        *,
        cpu: float,
        wall: float,
        most: int = 0,
    ) -> Message:
        """Its answer. Raises _Ended or _TooLong; both leave it to be ended.

        Args:
            cpu, wall: seconds of the processor and by the clock that it may take.
            most: bytes of arrays that it may answer.
        """
        begin, end, inbox = self._cpu(), time.monotonic() + wall, Inbox(most)
        unsent = [memoryview(part) for part in encode(request, arrays)]
        self.channel.socket.setblocking(False)
        try:
            while True:
                self._wait(unsent, inbox)
                if (message := inbox.take()) is not None:
                    self._read()
                    return message
                if self._cpu() - begin > cpu:
                    raise _TooLong(f"{cpu:g} s of processor time")
                if time.monotonic() > end:
                    raise _TooLong(f"{wall:g} s by the clock")
        except (OSError, EOFError, MessageError) as error:
            raise _Ended from error
        finally:
            self.channel.socket.setblocking(True)

    def _wait(self, unsent: list[memoryview], inbox: Inbox) -> None:
        """For at most a moment: send, receive, and take in what is printed."""
        link = self.channel.socket
        readable, writable, _ = select.select([link, self.output], [link] if unsent else [], [], 0.1)
        if self.output in readable and not self._read():
            time.sleep(0.001)  # nobody can print any more: select says so at once, again and again
        if link in writable:
            unsent[0] = unsent[0][link.send(unsent[0]) :]
            if not unsent[0]:
                del unsent[0]
        if link in readable:
            if not (chunk := link.recv(2**20)):
                raise EOFError
            inbox.add(chunk)
        elif self._is_dead() and not select.select([link], [], [], 0)[0]:
            raise EOFError  # although a process that it started may hold the other end open

    def _read(self) -> bool:
        """Take in what it has printed; False at the end of it."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.output, 2**20):
                self.printed = (self.printed + chunk[-4 * TAIL :].decode("utf-8", "replace"))[-TAIL:]
                if len(chunk) == 2**20:
                    return True  # a solver that never stops printing must not keep us from its clock
            return False
        return True

    def _stat(self) -> list[str]:
        """The fields of proc(5)'s stat from the third on; none where the system does not tell."""
        with suppress(OSError, IndexError):
            text = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
            return text.rsplit(")", 1)[1].split()
        return []

    def _cpu(self) -> float:
        fields = self._stat()
        return sum(int(n) for n in fields[11:15]) / _TICKS if fields else 0.0

    def _is_dead(self) -> bool:
        fields = self._stat()
        return bool(fields) and fields[0] in "ZX"


class Solvers:
    """The solvers' processes of one worker.

    Args:
        nursery: a process that runs no plug-in and holds no truth, to fork them from.
        shared: threads, device and limits.
    """

    def __init__(self, nursery: Channel, shared: Shared):
        self._nursery, self._shared = nursery, shared
        self._modules: OrderedDict[str, _Process | None] = OrderedDict()
        self._solvers: OrderedDict[str, _Process] = OrderedDict()
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
            process = self._forked(group[0])
            try:
                self._load(process, group, build=True)
            finally:
                process.end()

    def solve(self, given: Given, sensed: Sequence[Sensed], timeout: float) -> Attempt:
        """What the solver comes to, as far as it can be believed. Raises SolverFailed, PluginError."""
        refs = [given.solver] if given.prior is None else [given.solver, given.prior]
        name = canonical([[_file(r), r.settings] for r in refs])
        process = self._solvers.pop(name, None) or self._fork(refs)
        shape = (given.samples, len(sensed), *sensed[0].y.shape)
        size = np.dtype(given.dtype).itemsize * int(np.prod(shape))
        try:
            request = solve_request(given, sensed)
            cpu = timeout * max(1, self._shared.threads)
            answer = process.ask(*request, cpu=cpu, wall=WALL * timeout, most=size)
        except _TooLong as error:
            process.end()
            message = f"not done within the timeout of {timeout:g} s ({error}); its process was ended"
            raise SolverFailed(_failure("timeout", "TimeoutError", message, process.printed)) from error
        except _Ended as error:
            code = process.end()
            raise SolverFailed(_failure("crashed", "Crashed", death(code), process.printed)) from error
        if "failure" in answer.data:
            return self._failed(name, process, answer.data["failure"])
        self._keep(name, process)
        return _believed(answer, shape, given.dtype)

    def _failed(self, name: str, process: _Process, failure: dict[str, str]) -> Attempt:
        status, kind, message = (str(failure[k]) for k in ("status", "error_type", "error_message"))
        outcome = _failure(status, kind, message, process.printed)
        outcome["traceback"] = str(failure.get("traceback", ""))[:TRACE]
        if outcome["status"] in ("error", "invalid"):
            self._keep(name, process)
        else:
            process.end()
        raise SolverFailed(outcome)

    def _keep(self, name: str, process: _Process) -> None:
        process.printed = ""
        self._solvers[name] = process
        while len(self._solvers) > self._room:
            self._solvers.popitem(last=False)[1].end(GRACE)

    def _fork(self, refs: Sequence[Ref]) -> _Process:
        process = self._forked(refs[0])
        try:
            self._load(process, refs, build=True)
        except BenchError:
            process.end()
            raise
        return process

    def _forked(self, ref: Ref) -> _Process:
        """A process for a solver, with its file imported if that can be."""
        if (module := self._module(ref)) is None:
            return self._fork_nursery()
        try:
            return _Process.fork(module.channel)
        except _Ended as error:  # what the import has started can end the process that it ran in
            self._drop(_file(ref))
            raise SolverFailed(_failure("crashed", "Crashed", death(None), module.printed)) from error

    def _fork_nursery(self) -> _Process:
        try:
            return _Process.fork(self._nursery)
        except _Ended as error:
            raise NurseryLost from error

    def _module(self, ref: Ref) -> _Process | None:
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

    def _import(self, ref: Ref) -> _Process | None:
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

    def _load(self, process: _Process, refs: Sequence[Ref], *, build: bool) -> dict[str, Any]:
        """Import and build plug-ins in a process. Raises PluginError and SettingError; the process is then ended."""
        what = f"{refs[0].kind} {refs[0].name!r} ({refs[0].plugin.path})"
        try:
            request = {"do": "load", "refs": [asdict(r) for r in refs], "build": build}
            answer = process.ask(request, cpu=self._shared.loading, wall=2 * self._shared.loading).data
        except _TooLong as error:
            raise PluginError(f"{what} takes too long to be imported and built: not done after {error}") from error
        except _Ended as error:
            raise PluginError(f"{what} cannot be imported and built: {death(process.end())}") from error
        if "error" in answer:
            kind = getattr(errors, str(answer["error"]), PluginError)
            raise kind(str(answer.get("message")))
        return answer


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
