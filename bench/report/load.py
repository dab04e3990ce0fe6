"""Read run folders, and refuse what must not be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import ResultError
from bench.report import certificates
from bench.results.columns import changed
from bench.results.folder import Row, Run, read_runs
from bench.results.identity import MeasurementId


@dataclass(frozen=True)
class Pictures:
    """One stored file of arrays, and the names that its solvers carry in the report."""

    measurement: MeasurementId
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
        about: by solver, as reported: the ``summary`` and ``reference`` of its plug-in, where the run holds them.
    """

    facts: list[dict[str, Any]]
    rows: list[Row]
    pictures: list[Pictures]
    groups: int
    shared: int
    certificates: list[dict[str, Any]]
    environments: list[Row]
    about: dict[str, dict[str, str]] = field(default_factory=dict)


def load(run_dirs: Sequence[Path]) -> Results:
    """Read results folders and check them together.

    Raises ResultError if a file is missing, unreadable or of another schema, or if two rows of one measurement's
    identity were made from different measurements.
    """
    if not run_dirs:
        raise ResultError("no run folder was given")
    runs = read_runs(run_dirs)
    facts = [_facts(run) for run in runs]
    _check_protocols(facts)
    tables = [run.rows for run in runs]
    labels = _labels(tables, [f["name"] for f in facts])
    rows = _merged(tables, labels)
    groups, shared = check_measurements(r for r in rows if r["phase"] == "test")
    pictures = [p for run, names in zip(runs, labels, strict=True) for p in _pictures(run, names)]
    about: dict[str, dict[str, str]] = {
        names.get(solver, str(solver)): texts
        for fact, names in zip(facts, labels, strict=True)
        for solver, texts in (fact.get("solvers") or {}).items()
    }
    return Results(facts, rows, pictures, groups, shared, certificates.read(run_dirs), _environments(runs), about)


def _check_protocols(facts: Sequence[dict[str, Any]]) -> None:
    """Runs that cropped or clipped otherwise before scoring measured other things under the same names."""
    for name in ("boundary", "border", "clip"):
        values = {f["name"]: (f.get("protocol") or {}).get(name) for f in facts}
        if len({json.dumps(v) for v in values.values()}) > 1:
            each = ", ".join(f"{run} has {name}: {value}" for run, value in values.items())
            raise ResultError(f"not comparable: the runs were scored under different protocols: {each}")


def check_measurements(rows: Iterable[Row]) -> tuple[int, int]:
    """(measurements, measurements seen by two or more solvers); ResultError if a cell has two different ones."""
    first: dict[MeasurementId, Row] = {}
    solvers: dict[MeasurementId, set[str]] = {}
    for row in rows:
        if not row["y_sha"]:
            continue  # it failed before there was a measurement
        cell = MeasurementId.of(row)
        seen = first.setdefault(cell, row)
        if seen["y_sha"] != row["y_sha"]:
            raise ResultError(
                f"not comparable: {cell}: {seen['solver']!r} was run on measurement {seen['y_sha'][:12]}, "
                f"{row['solver']!r} on {row['y_sha'][:12]}. Report the runs apart, or run them from the same grid, "
                "seed and code."
            )
        solvers.setdefault(cell, set()).add(row["solver"])
    return len(first), sum(len(s) > 1 for s in solvers.values())


def _facts(run: Run) -> dict[str, Any]:
    facts, folder = run.facts, run.folder.path
    grid = str(facts.get("grid_file") or "")
    # A page is passed on: it names the folder, not where on this machine it lies.
    place = folder.name if folder.is_absolute() else folder.as_posix()
    if grid and (folder / grid).is_file():
        grid = f"{place}/{grid}"
    return {**facts, "name": facts["name"] or folder.name, "grid_file": grid, "place": place}


def _labels(tables: Sequence[Sequence[Row]], names: Sequence[str]) -> list[dict[str, str]]:
    """Per run: solver as stored -> solver as reported. Two runs' different methods of one name get two names."""
    if len(tables) == 1:
        return [{s: s for s in dict.fromkeys(row["solver"] for row in tables[0])}]
    owned = [_identities(table) for table in tables]
    return [
        {s: f"{s} @ {name}" if _ambiguous([o[s] for o in owned if s in o]) else s for s in own}
        for own, name in zip(owned, names, strict=True)
    ]


def _identities(table: Sequence[Row]) -> dict[str, dict[Any, Any]]:
    """Solver -> what tells it from another of the same name: its settings, and the key of each test cell."""
    identities: dict[str, dict[Any, Any]] = {}
    for row in table:
        mine = identities.setdefault(row["solver"], {"settings": row.get("solver_settings")})
        if row["phase"] == "test":
            mine[MeasurementId.of(row)] = row["cell_key"]
    return identities


def _ambiguous(identities: Sequence[dict[Any, Any]]) -> bool:
    first = identities[0]
    return any(first[key] != other[key] for other in identities[1:] for key in first.keys() & other.keys())


def _merged(tables: Sequence[Sequence[Row]], labels: Sequence[dict[str, str]]) -> list[Row]:
    """One row per cell key, phase and measurement; a later run's row replaces an earlier one, a failure never a
    success. Two images of the same pixels share their keys.
    """
    if len(tables) == 1:
        return list(tables[0])
    rows: dict[tuple[Any, ...], Row] = {}
    for table, names in zip(tables, labels, strict=True):
        for row in changed(table, "solver", names.__getitem__):
            key = row["phase"], row["cell_key"], *MeasurementId.of(row)
            if key not in rows or row["status"] == "ok" or rows[key]["status"] != "ok":
                rows[key] = row
    return list(rows.values())


def _pictures(run: Run, labels: dict[str, str]) -> list[Pictures]:
    return [Pictures(p.measurement, p.file, labels) for p in run.pictures]


def _environments(runs: Sequence[Run]) -> list[Row]:
    """The rows of each run's environments, each once."""
    rows = [row for run in runs for row in run.folder.read_environments()]
    return list({row["env_id"]: row for row in rows}.values())
