"""The rows of a run, made from the journal when they are asked for: all of them at once are gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from bench.grid.cells import Cell, Phase
from bench.results.folder import Row
from bench.results.identity import MeasurementId
from bench.running.training_note import training_note
from bench.seeds import canonical


def place_of(cell: Cell) -> list[Any]:
    """Where a cell stands in the grid, whatever its content: to find what it was before something changed."""
    return [cell.label, cell.phase, cell.candidate, *MeasurementId.of(cell.identity)]


class Rows(Sequence[Row]):
    """One row for each cell, in their order. Equal to any sequence of the same rows.

    Args:
        cells: what was to be solved.
        outcomes: of each cell what came of it, by its key.
    """

    def __init__(self, cells: Sequence[Cell], outcomes: Mapping[str, Mapping[str, Any]]):
        self._cells, self._outcomes = cells, outcomes

    def of(self, phase: Phase) -> Rows:
        """The rows of one phase."""
        return Rows([c for c in self._cells if c.phase == phase], self._outcomes)

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._cells)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return Rows(self._cells[index], self._outcomes)
        return self._row(self._cells[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none

    def _row(self, cell: Cell) -> Row:
        outcome = {k: v for k, v in self._outcomes[cell.key].items() if k not in ("parts", "place")}
        return {**outcome, **cell.identity, "training_note": training_note(cell)}


@dataclass(frozen=True)
class Tally:
    """What run.json says about all rows.

    Attributes:
        stamp: sha256 of what stands where and whether it succeeded: runs with the same have the same rows.
        test, ok: rows that count, and those of them that succeeded.
        measurements: different ones among the rows that count.
        env_ids: of all rows, in order of appearance.
    """

    stamp: str
    test: int
    ok: int
    measurements: int
    env_ids: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Tally:
        """Go through the rows once."""
        seal, test, ok = hashlib.sha256(b"["), 0, 0
        measurements: set[str] = set()
        env_ids: dict[str, None] = {}
        for n, r in enumerate(rows):
            entry = [r["cell_key"], r["phase"], r["solver"], *MeasurementId.of(r), r["status"]]
            seal.update(f"{',' if n else ''}{canonical(entry)}".encode())
            if r.get("env_id"):
                env_ids[r["env_id"]] = None
            if r["phase"] == "test":
                test += 1
                ok += r["status"] == "ok"
                if r.get("y_sha"):
                    measurements.add(r["y_sha"])
        seal.update(b"]")  # of the canonical JSON of the whole list, without ever holding it
        return cls(seal.hexdigest(), test, ok, len(measurements), tuple(env_ids))
