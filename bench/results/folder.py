"""A results folder: the names of its files, and how each is read. Every command reads runs through here, so that a
folder that is damaged, unfinished or no run at all gets the same message from each.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import ResultError
from bench.files import write_text
from bench.results import journal, parquet
from bench.results.identity import MeasurementId

#: a row of results, or plain data with its columns
Row = Mapping[str, Any]

#: what run.json must hold, and of which type
FACTS: dict[str, type] = {
    "name": str, "grid_text": str, "grid_base": str, "seed": int, "protocol": dict, "metrics": list, "tuning": list,
    "environment": dict, "started_at": str, "finished_at": str,
}  # fmt: skip
REPAIR = "the same bench run command finishes the run and writes again what is damaged"


def shown(key: str, folder: Path) -> str:
    """The command that shows a cell of a results folder."""
    where = "" if folder.parent == Path("runs") else f" --runs {shlex.quote(folder.as_posix())}"
    return f"bench show {key[:12]}{where}"


class Picture(NamedTuple):
    """A stored archive of arrays, and the measurement that it shows."""

    measurement: MeasurementId
    file: Path


@dataclass(frozen=True)
class ResultsFolder:
    """The files of one run. All that read raise ResultError, with the folder, what is wrong and what repairs it."""

    path: Path

    @property
    def journal(self) -> Path:
        """Outcomes, appended as they come; all else is made from it."""
        return self.path / "journal.jsonl"

    @property
    def table(self) -> Path:
        """The rows (see ``bench.results.parquet``)."""
        return self.path / "results.parquet"

    @property
    def environments(self) -> Path:
        """One row per machine and set of versions."""
        return self.path / "env.parquet"

    @property
    def facts(self) -> Path:
        """What was run, when, by which code."""
        return self.path / "run.json"

    @property
    def grid(self) -> Path:
        """The grid as it was run."""
        return self.path / "grid.yaml"

    def base_of(self, grid: Path) -> Path | None:
        """The folder that relative paths start from in the run's own copy of its grid.

        None for another file, and where that folder is gone, as after the run was moved to another machine.
        """
        if grid.resolve() != self.grid.resolve() or not self.facts.is_file():
            return None
        base = Path(self.read_facts()["grid_base"])
        return base if base.is_dir() else None

    @property
    def hashes(self) -> Path:
        """A cache of the hashes of images."""
        return self.path / "images.json"

    @property
    def estimates(self) -> Path:
        """Estimates one by one, as workers store them."""
        return self.path / "pictures"

    @property
    def images(self) -> Path:
        """Archives for the readers, one per measurement."""
        return self.path / "images"

    @property
    def index(self) -> Path:
        """Which archive shows which measurement."""
        return self.images / "index.json"

    @staticmethod
    def under(parent: Path) -> list[ResultsFolder]:
        """The folder itself if it holds results, or what is left of them; else those right inside it that do."""
        here = ResultsFolder(parent)
        names = here.facts.name, here.table.name
        inside = {file.parent for name in names for file in parent.glob(f"*/{name}")}
        return [here] if any((parent / n).is_file() for n in names) else [ResultsFolder(p) for p in sorted(inside)]

    # --- reading ----------------------------------------------------------------------------------------------

    def read(self) -> Run:
        """The facts and rows of a finished run."""
        facts = self.read_facts()
        if not self.table.is_file():
            raise self._unfinished(self.table)
        return Run(self, facts, parquet.read(self.table))

    def read_facts(self) -> Row:
        """run.json, of which ``FACTS`` are there."""
        if not self.facts.is_file():
            raise self._unfinished(self.facts)
        facts = self._json(self.facts)
        if not isinstance(facts, dict):
            raise self._damaged(self.facts, "it is no JSON object")
        if wrong := [name for name, kind in FACTS.items() if not isinstance(facts.get(name), kind)]:
            raise self._damaged(self.facts, f"{', '.join(wrong)} missing or of another type")
        return facts

    def read_environments(self) -> list[Row]:
        """The rows of env.parquet; none where there is no such file."""
        import pyarrow as pa
        from pyarrow import parquet as arrow

        try:
            rows = arrow.read_table(self.environments).to_pylist() if self.environments.is_file() else []
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged(self.environments, str(error)) from error
        if not all(isinstance(r.get("env_id"), str) for r in rows):
            raise self._damaged(self.environments, "a row has no env_id")
        return rows

    def read_outcomes(self) -> dict[str, dict[str, Any]]:
        """Outcomes by cell key, from the journal."""
        return journal.read(self.journal)

    def _json(self, file: Path) -> Any:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(file, str(error)) from error

    def _unfinished(self, file: Path) -> ResultError:
        return ResultError(f"{self.path} is not a finished run: it has no {file.name}; {REPAIR}")

    def _damaged(self, file: Path, why: str) -> ResultError:
        return ResultError(f"{file} cannot be read: {why}; {REPAIR}")

    # --- writing ----------------------------------------------------------------------------------------------

    def write_facts(self, facts: Row) -> None:
        """Replace run.json."""
        write_text(self.facts, json.dumps(facts, indent=1, ensure_ascii=False))

    def write_index(self, pictures: Iterable[tuple[MeasurementId, str]]) -> None:
        """Replace the index of images by (measurement, name of its archive)."""
        entries = [{**measurement._asdict(), "file": name} for measurement, name in pictures]
        write_text(self.index, json.dumps(entries, indent=1, ensure_ascii=False))


@dataclass(frozen=True)
class Run:
    """A finished run as it was read. ``rows``: of all phases."""

    folder: ResultsFolder
    facts: Row
    rows: Sequence[Row]

    @cached_property
    def pictures(self) -> list[Picture]:
        """The archives of the index that are there; none where there is no index. Raises ResultError."""
        file = self.folder.index
        if not file.is_file():
            return []
        entries = self.folder._json(file)
        try:
            pictures = [Picture(self._measurement(e), self.folder.images / Path(e["file"]).name) for e in entries]
        except (TypeError, LookupError, ValueError) as error:
            raise self.folder._damaged(file, f"it is no index of images ({error!r})") from error
        return [p for p in pictures if p.file.is_file()]

    def _measurement(self, entry: Row) -> MeasurementId:
        """Of an entry. Those of earlier versions lack dataset and split: the rows say which measurement is meant."""
        if "dataset" in entry:
            measurement = MeasurementId.of(entry)
            if not all(isinstance(v, str | int) for v in measurement):
                raise TypeError("an entry holds neither text nor numbers")
            return measurement
        rest = tuple(entry[n] for n in _EARLIER)
        meant = self._by_earlier_entry.get(rest, set())
        if len(meant) != 1:
            raise ResultError(
                f"{self.folder.index} was written by an earlier version, which left out the dataset: the picture of "
                f"{entry['image']!r} under {entry['setting']!r} may be of {len(meant)} measurements; {REPAIR}"
            )
        return next(iter(meant))

    @cached_property
    def _by_earlier_entry(self) -> dict[tuple[Any, ...], set[MeasurementId]]:
        meant: dict[tuple[Any, ...], set[MeasurementId]] = {}
        for row in self.rows:
            if row["phase"] == "test":
                meant.setdefault(tuple(row[n] for n in _EARLIER), set()).add(MeasurementId.of(row))
        return meant


_EARLIER: Sequence[str] = ("setting", "image", "psf_index", "rep")


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """The finished runs in folders."""
    return [ResultsFolder(p).read() for p in paths]
