"""What a run knows of its cells without holding it: where each one's line begins in the journal.

A million outcomes are five gigabytes as dictionaries, and a resumed run asks for few of them.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bench.errors import ResultError
from bench.results.journal import parse

#: What came of a cell: a line of the journal.
Outcome = dict[str, Any]


class Outcomes(Mapping[str, Outcome]):
    """Outcomes by cell key, read from the journal when they are asked for; of several of one cell the last.

    Attributes:
        environments: of every env_id what its first worker reported about its machine.

    Raises ResultError when there is a journal that cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        self.environments: dict[str, dict[str, str]] = {}
        self._begins: dict[str, int] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self.refresh()

    def refresh(self) -> None:
        """Take note of what was appended since, or read anew when it is no longer the same file."""
        try:
            if self._file is not None and not self._is_continued():
                self._file.close()
                self._file, self._begins, self._end = None, {}, 0
            if self._file is None and self.path.is_file():
                self._file = self.path.open("rb")
                weakref.finalize(self, self._file.close)
            if self._file is not None:
                self._note(self._file)
        except OSError as error:
            raise ResultError(f"{self.path} cannot be read: {error.strerror}") from error

    def _is_continued(self) -> bool:
        assert self._file is not None
        with suppress(OSError):
            here, there = os.fstat(self._file.fileno()), self.path.stat()
            return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev) and there.st_size >= self._end
        return False

    def _note(self, file: IO[bytes]) -> None:
        file.seek(self._end)
        for line in file:
            if (outcome := parse(line)) is not None:
                self._begins[outcome["cell_key"]] = self._end
                if outcome.get("environment") and outcome.get("env_id"):
                    self.environments.setdefault(outcome["env_id"], outcome["environment"])
            self._end += len(line)

    def __getitem__(self, key: str) -> dict[str, Any]:
        begin = self._begins[key]
        assert self._file is not None
        self._file.seek(begin)
        outcome = parse(self._file.readline())
        if outcome is None or outcome["cell_key"] != key:
            raise ResultError(f"{self.path} was changed by something else while this run went on: start it again")
        return outcome

    def __contains__(self, key: object) -> bool:
        return key in self._begins

    def __iter__(self) -> Iterator[str]:
        return iter(self._begins)

    def __len__(self) -> int:
        return len(self._begins)
