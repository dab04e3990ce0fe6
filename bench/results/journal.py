"""The journal of a run: one line per finished cell, appended at once, readable after any interruption.

A line is ``["crc32", {outcome}]``. A line that is torn, damaged or not of this kind is passed over: its cell runs
again. While a run writes, it holds a lock on the file, and says in ``held_by.txt`` beside it who it is.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import ResultError
from bench.files import hold
from bench.results.parquet import fits
from bench.seeds import canonical

HOLDER = "held_by.txt"


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Outcomes by cell key; of several of one cell the last. Damaged lines are passed over.

    Raises ResultError when there is a journal that cannot be read.
    """
    try:
        return {o["cell_key"]: o for o in _outcomes(path)}
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror}") from error


def _outcomes(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open("rb") as f:
        for line in f:
            if (outcome := parse(line)) is not None:
                yield outcome


def parse(line: bytes) -> dict[str, Any] | None:
    """The outcome in a line; None when the line is torn, damaged or not of this kind."""
    try:
        crc, outcome = json.loads(line)
        sound = crc == _crc(canonical(outcome)) and fits(outcome)
    except (ValueError, TypeError, RecursionError):
        return None
    return outcome if sound else None


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


class Journal:
    """Appends outcomes. One writer at a time: a second run in the folder is refused.

    Raises ResultError if another process holds the journal, and when it cannot be written: what stands in it then
    stays, and a later run goes on from there.
    """

    def __init__(self, path: Path):
        self.path, self._holder = path, path.with_name(HOLDER)
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            with self._writing():
                hold(self._fd, self._holder, "another run", ResultError)
                self._end_torn_line()
        except BaseException:
            os.close(self._fd)
            raise

    def _end_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # what was torn stays torn; what follows starts on a line of its own

    def append(self, outcome: Mapping[str, Any]) -> None:
        """Write one outcome with a single system call, so that a killed process leaves whole lines.

        A value that is NaN (a metric that is undefined on an image) is written as null: JSON has no NaN.
        """
        text = canonical({name: None if value != value else value for name, value in outcome.items()})
        line = f'["{_crc(text)}",{text}]\n'.encode()
        with self._writing():
            while line:
                line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        """Flush to the disk and let go of the lock."""
        try:
            with self._writing():
                os.fsync(self._fd)
        finally:
            with suppress(OSError):  # the lock is what counts; the file only names its holder
                self._holder.unlink()
            os.close(self._fd)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ResultError(f"{self.path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            with suppress(ResultError):  # what went wrong first is what to hear about
                self.close()
