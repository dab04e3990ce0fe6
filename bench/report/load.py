"""Read run folders, and refuse what must not be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import ResultError
from bench.report import certificates
from bench.results import parquet as results

Row = dict[str, Any]


class CellId(NamedTuple):
    """What was measured: all solvers of one cell saw the same y."""

    dataset: str
    split: str
    setting: str
    image: str
    psf_index: int
    rep: int


@dataclass(frozen=True)
class Pictures:
    """One stored file of arrays, and the names that its solvers carry in the report."""

    setting: str
    image: str
    psf_index: int
    rep: int
    path: Path
    labels: dict[str, str]


@dataclass(frozen=True)
class Results:
    """Everything that a report is made from.

    Attributes:
        facts: the run.json of each run.
        rows: results of all phases; ``solver`` is unique per method, whatever run it came from.
        pictures: stored images.
        groups: measurements, each proven to be the same for every solver.
        shared: of those, the ones that more than one solver was run on.
        certificates: see ``bench.report.certificates``.
        environments: the rows of each run's env.parquet, each environment once.
    """

    facts: list[dict[str, Any]]
    rows: list[Row]
    pictures: list[Pictures]
    groups: int
    shared: int
    certificates: list[dict[str, Any]]
    environments: list[dict[str, Any]]


def cell_id(row: Row) -> CellId:
    """The measurement that a row belongs to."""
    return CellId(*(row[name] for name in CellId._fields))


def load(run_dirs: Sequence[Path]) -> Results:
    """Read ``results.parquet``, ``run.json`` and ``images/index.json`` of each folder and check them together.

    Raises ResultError if a file is missing, unreadable or of another schema, or if two rows of one (setting, image,
    PSF, repetition) were made from different measurements.
    """
    if not run_dirs:
        raise ResultError("no run folder was given")
    facts = [_facts(path) for path in run_dirs]
    _check_protocols(facts)
    tables = [_rows(path) for path in run_dirs]
    labels = _labels(tables, [f["name"] for f in facts])
    rows = _merged(tables, labels)
    groups, shared = check_measurements(r for r in rows if r["phase"] == "test")
    pictures = [p for path, names in zip(run_dirs, labels, strict=True) for p in _pictures(path, names)]
    return Results(facts, rows, pictures, groups, shared, certificates.read(run_dirs), _environments(run_dirs))


def _check_protocols(facts: Sequence[dict[str, Any]]) -> None:
    """Runs that cropped or clipped otherwise before scoring measured other things under the same names."""
    for name in ("boundary", "border", "clip"):
        said = {f["name"]: (f.get("protocol") or {}).get(name) for f in facts}
        if len({json.dumps(v) for v in said.values()}) > 1:
            each = ", ".join(f"{run} has {name}: {value}" for run, value in said.items())
            raise ResultError(f"not comparable: the runs were scored under different protocols: {each}")


def check_measurements(rows: Iterable[Row]) -> tuple[int, int]:
    """(measurements, measurements seen by two or more solvers); ResultError if a cell has two different ones."""
    first: dict[CellId, Row] = {}
    solvers: dict[CellId, set[str]] = {}
    for row in rows:
        if not row["y_sha"]:
            continue  # it failed before there was a measurement
        cell = cell_id(row)
        seen = first.setdefault(cell, row)
        if seen["y_sha"] != row["y_sha"]:
            raise ResultError(
                f"not comparable: setting {cell.setting!r}, image {cell.image!r}, PSF {cell.psf_index}, repetition "
                f"{cell.rep}: {seen['solver']!r} was run on measurement {seen['y_sha'][:12]}, {row['solver']!r} on "
                f"{row['y_sha'][:12]}. Report the runs apart, or run them from the same grid, seed and code."
            )
        solvers.setdefault(cell, set()).add(row["solver"])
    return len(first), sum(len(s) > 1 for s in solvers.values())


def _facts(folder: Path) -> dict[str, Any]:
    file = folder / "run.json"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{folder} is not a run folder: {file.name} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ResultError(f"{file} is not JSON: {error}") from error
    grid = str(facts.get("grid_file") or "")
    if grid and (folder / grid).is_file():
        # A page is passed on: it names the folder, not where on this machine it lies.
        grid = f"{folder.name if folder.is_absolute() else folder.as_posix()}/{grid}"
    return {**facts, "name": str(facts.get("name") or folder.name), "grid_file": grid}


def _rows(folder: Path) -> list[Row]:
    file = folder / "results.parquet"
    if not file.is_file():
        raise ResultError(f"{folder} has no results.parquet: the run was not finished; the same command resumes it")
    return results.read(file)


def _labels(tables: Sequence[Sequence[Row]], names: Sequence[str]) -> list[dict[str, str]]:
    """Per run: solver as stored -> solver as reported. Two runs' different methods of one name are told apart."""
    owned = [_identities(table) for table in tables]
    return [
        {s: f"{s} @ {name}" if _ambiguous([o[s] for o in owned if s in o]) else s for s in own}
        for own, name in zip(owned, names, strict=True)
    ]


def _identities(table: Sequence[Row]) -> dict[str, dict[Any, Any]]:
    """Solver -> what tells it from another of the same name: its settings, and the key of each test cell."""
    found: dict[str, dict[Any, Any]] = {}
    for row in table:
        mine = found.setdefault(row["solver"], {"settings": row.get("solver_settings")})
        if row["phase"] == "test":
            mine[cell_id(row)] = row["cell_key"]
    return found


def _ambiguous(identities: Sequence[dict[Any, Any]]) -> bool:
    first = identities[0]
    return any(first[key] != other[key] for other in identities[1:] for key in first.keys() & other.keys())


def _merged(tables: Sequence[Sequence[Row]], labels: Sequence[dict[str, str]]) -> list[Row]:
    """One row per cell key and phase; a later run's row replaces an earlier one, a failure never a success."""
    rows: dict[tuple[str, str], Row] = {}
    for table, names in zip(tables, labels, strict=True):
        for row in table:
            key = row["phase"], row["cell_key"]
            if key not in rows or row["status"] == "ok" or rows[key]["status"] != "ok":
                rows[key] = {**row, "solver": names[row["solver"]]}
    return list(rows.values())


def _pictures(folder: Path, labels: dict[str, str]) -> list[Pictures]:
    index = folder / "images" / "index.json"
    if not index.is_file():
        return []
    found = []
    try:
        for entry in json.loads(index.read_text(encoding="utf-8")):
            path = index.parent / Path(entry["file"]).name
            if path.is_file():
                place = entry["setting"], entry["image"], entry["psf_index"], entry["rep"]
                found.append(Pictures(*place, path, labels))
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise ResultError(f"{index} cannot be read: {error}; the same bench run writes it again") from error
    return found


def _environments(run_dirs: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of each folder's env.parquet, where there is one."""
    import pyarrow as pa
    from pyarrow import parquet

    files = [folder / "env.parquet" for folder in run_dirs]
    try:
        rows = [row for f in files if f.is_file() for row in parquet.read_table(f).to_pylist()]
        return list({row["env_id"]: row for row in rows}.values())
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise ResultError(f"env.parquet of a run cannot be read: {error}") from error
