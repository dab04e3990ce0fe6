"""The journal of a run: one line per finished cell, appended at once, readable after any interruption.

A line is ``["crc32", {outcome}]``. A torn or damaged line is passed over: its cell runs again.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import ResultError
from bench.seeds import canonical


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Outcomes by cell key; of several of one cell the last. Damaged lines are passed over."""
    return {o["cell_key"]: o for o in _outcomes(path)}


def _outcomes(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open("rb") as f:
        for line in f:
            if (outcome := _parse(line)) is not None:
                yield outcome


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        crc, outcome = json.loads(line)
        sound = crc == _crc(canonical(outcome)) and isinstance(outcome["cell_key"], str)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return outcome if sound else None


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


class Journal:
    """Appends outcomes. One writer at a time: a second run in the folder is refused.

    Raises ResultError if another process holds the journal.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise ResultError(
                f"{path.parent} is in use by another run; wait for it, or give --out another folder"
            ) from error
        self._end_torn_line()

    def _end_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # what was torn stays torn; what follows starts on a line of its own

    def append(self, outcome: dict[str, Any]) -> None:
        """Write one outcome with a single system call, so that a killed process leaves whole lines."""
        text = canonical(outcome)
        line = f'["{_crc(text)}",{text}]\n'.encode()
        while line:
            line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        """Flush to the disk and let go of the lock."""
        os.fsync(self._fd)
        os.close(self._fd)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
