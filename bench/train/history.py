"""The history of a training: a CSV file that grows by a row per validation."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.errors import TrainingError


class History:
    """Rows of figures; the first row names the columns. A figure that a row lacks is blank."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        self.columns = columns

    def rows(self) -> list[dict[str, str]]:
        """What was written so far; a last line that was torn off is left out."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return [r for r in csv.DictReader(file) if None not in r.values() and None not in r]

    def start(self, step: int) -> None:
        """Keep the rows up to ``step`` (those of a lost end are written again); write the header."""
        earlier = [{c: r.get(c, "") for c in self.columns} for r in self.rows() if int(r["step"]) <= step]
        self._write("w", [dict(zip(self.columns, self.columns, strict=True)), *earlier])

    def append(self, row: dict[str, object]) -> None:
        """Add a row and flush it. Raises TrainingError when the disk is full."""
        self._write("a", [row])

    def _write(self, mode: str, rows: list[dict[str, object]] | list[dict[str, str]]) -> None:
        try:
            with self.path.open(mode, newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns).writerows(rows)
        except OSError as error:
            raise TrainingError(f"cannot write {self.path} ({error.strerror})") from error
