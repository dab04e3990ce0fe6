"""A forked process as the one sees it that had it forked: where it is asked, what it prints, how long it works."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.running.channel import Channel, Inbox, Message, MessageError, encode

#: characters of what a failed solver printed last
TAIL = 2000
_TICKS = os.sysconf("SC_CLK_TCK")


class Ended(Exception):  # noqa: N818
    """The process is gone, or sent what is no answer."""


class TooLong(Exception):  # noqa: N818
    """The process has used up its time.

    Attributes:
        used: by the clock or of the processor, to be shown.
    """


@dataclass
class Process:
    """A forked process: where it is asked, what it prints, by whom it is ended."""

    parent: Channel
    pid: int
    channel: Channel
    output: int
    printed: str = ""
    is_ended: bool = False

    @classmethod
    def fork(cls, parent: Channel) -> Process:
        """Fork the process at the other end of ``parent``. Raises Ended if that is gone."""
        ours, theirs = socket.socketpair()
        output, write = os.pipe()
        os.set_blocking(output, False)
        try:
            parent.send({"do": "fork"}, files=[theirs.fileno(), write])
            answer, _ = parent.receive()
        except (EOFError, OSError) as error:
            ours.close()
            os.close(output)
            raise Ended from error
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
        """Its answer. Raises Ended or TooLong; both leave it to be ended.

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
                    raise TooLong(f"{cpu:g} s of processor time")
                if time.monotonic() > end:
                    raise TooLong(f"{wall:g} s by the clock")
        except (OSError, EOFError, MessageError) as error:
            raise Ended from error
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
