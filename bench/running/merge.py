"""Join runs of one grid that were made apart: other cells, other solvers, other machines; one folder comes out.

Nothing is averaged and nothing chosen by its value. What two runs both have must agree, or the joining is refused:
a measurement byte for byte, a cell's code and settings by its key, its metrics exactly where both come from the same
environment and within rounding (``TOLERANCE``) where not. Of agreeing outcomes the first stays; one that succeeded
replaces one that failed.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from bench.errors import ResultError
from bench.files import replacing, write_text
from bench.grid.read import parse_grid
from bench.grid.yaml import Located, parse_yaml
from bench.results import journal
from bench.results import parquet as results
from bench.results.folder import ResultsFolder, Row, Run
from bench.results.identity import MeasurementId

#: relative difference of a metric that processors with other instructions may make: 7e-4 was seen (docs/cluster.md)
TOLERANCE = 1e-3

#: what two runs must have in common
_SAME = ("seed", "protocol", "metrics")
#: keys of a grid file that may differ: what is solved with, and how it is carried out
_FREE = ("name", "solvers", "run")


@dataclass(frozen=True)
class Part:
    """One of the runs to be joined."""

    run: Run
    outcomes: Mapping[str, Row]

    @classmethod
    def read(cls, path: Path) -> Part:
        """Raises ResultError unless the folder holds a finished run."""
        run = ResultsFolder(path).read()
        return cls(run, run.folder.read_outcomes())

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.run.folder.path

    @property
    def facts(self) -> Row:
        """Its run.json."""
        return self.run.facts

    @property
    def rows(self) -> Sequence[Row]:
        """Of all phases."""
        return self.run.rows


def merge(folders: Sequence[Path], out: Path) -> Row:
    """Write the union of finished runs to a new folder, which can be reported and resumed. Returns its run.json.

    Raises ResultError when the runs differ in what makes numbers comparable, contradict each other, or when ``out``
    already holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ResultError(f"{out} is not empty: give --out a new folder")
    parts = [Part.read(f) for f in folders]
    for other in parts[1:]:
        _require_comparable(parts[0], other)
    text = _joined_grid(parts)
    _require_same_shots(parts)
    outcomes = _joined_outcomes(parts)
    rows = _joined_rows(parts)
    facts = _joined_facts(parts, rows, outcomes, text)
    temporary = out.with_name(f".{out.name}.{uuid4().hex[:8]}.tmp")
    try:
        _write(ResultsFolder(temporary), parts, rows, outcomes, facts)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise ResultError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return facts


# --- what must agree ------------------------------------------------------------------------------------------


def _require_comparable(a: Part, b: Part) -> None:
    differing = [f"{n} ({a.facts[n]} and {b.facts[n]})" for n in _SAME if a.facts[n] != b.facts[n]]
    if differing:
        raise ResultError(f"{a.folder} and {b.folder} cannot be joined: they differ in {'; '.join(differing)}")


def _joined_grid(parts: Sequence[Part]) -> str:
    """The grid of all parts: the text that they share, or the first with the solvers of the others."""
    texts = [str(p.facts["grid_text"]) for p in parts]
    if len(set(texts)) == 1:
        return texts[0]
    data = [_checked(p).data for p in parts]
    fixed = [{k: v for k, v in d.items() if k not in _FREE} for d in data]
    for part, other in zip(parts[1:], fixed[1:], strict=True):
        keys = sorted(k for k in fixed[0].keys() | other.keys() if fixed[0].get(k) != other.get(k))
        if keys:
            raise ResultError(
                f"{parts[0].folder} and {part.folder} cannot be joined: their grids differ in {', '.join(keys)}; "
                "only solvers and run may differ"
            )
    solvers: list[Any] = []
    for d in data:
        solvers += [s for s in d["solvers"] if s not in solvers]
    text = yaml.safe_dump({**data[0], "solvers": solvers}, sort_keys=False, allow_unicode=True)
    parse_grid(parse_yaml(text, "the joined grid"), Path(parts[0].facts["grid_base"]))  # one label, one solver
    return text


def _checked(part: Part) -> Located:
    doc = parse_yaml(str(part.facts["grid_text"]), f"{part.folder}/grid.yaml")
    if not isinstance(doc.data, dict) or not isinstance(doc.data.get("solvers"), list):
        raise ResultError(f"{part.folder}/run.json holds no grid with a list of solvers")
    return doc


def _require_same_shots(parts: Sequence[Part]) -> None:
    seen: dict[MeasurementId, tuple[Part, Row]] = {}
    for part, row in _all_rows(parts):
        if not row.get("y_sha"):
            continue  # it failed before there was a measurement
        first, known = seen.setdefault(MeasurementId.of(row), (part, row))
        elsewhere = known["env_id"] != row["env_id"]
        # Another processor may round a PSF otherwise; what matters is what was measured with it.
        exact = ("y_sha", "image_sha") if elsewhere else ("y_sha", "psf_sha", "image_sha")
        differing = [n for n in exact if known[n] != row[n]]
        if differing:
            cause = (
                "other data, other code or a processor of another kind" if elsewhere else "other data or other code"
            )
            raise ResultError(
                f"{first.folder} and {part.folder} have different measurements of {MeasurementId.of(row)}: "
                f"{', '.join(differing)} differ. They come from {cause}, and no solver may be compared across them"
            )


def _joined_outcomes(parts: Sequence[Part]) -> dict[str, Row]:
    joined: dict[str, Row] = {}
    source: dict[str, Part] = {}
    for part in parts:
        for key, outcome in part.outcomes.items():
            if key in joined:
                _require_agreement(source[key], joined[key], part, outcome)
            if key not in joined or _better(outcome, joined[key]):
                joined[key], source[key] = outcome, part
    introduced = {o["env_id"] for o in joined.values() if o.get("environment")}
    about = {o["env_id"]: o["environment"] for p in parts for o in p.outcomes.values() if o.get("environment")}
    for key, outcome in joined.items():  # a worker says where it is in its first outcome, which may be left out here
        place = outcome.get("env_id")
        if place in about and place not in introduced:
            joined[key] = {**outcome, "environment": about[place]}
            introduced.add(place)
    return joined


def _better(new: Row, old: Row) -> bool:
    return new["status"] == "ok" != old["status"]


def _require_agreement(first: Part, a: Row, second: Part, b: Row) -> None:
    """Of two outcomes of one cell key."""
    if not a["status"] == b["status"] == "ok":
        return
    exact = a.get("env_id") == b.get("env_id") and a.get("batch") == b.get("batch")
    for name in sorted(n for n in a.keys() | b.keys() if n.startswith(("m_", "in_")) or n == "y_sha"):
        if not _alike(a.get(name), b.get(name), 0.0 if exact else TOLERANCE):
            where = "the same environment" if exact else "different environments"
            raise ResultError(
                f"{first.folder} and {second.folder} contradict each other on the cell {a['cell_key'][:12]} "
                f"{a.get('place', '')}: {name} is {a.get(name)} and {b.get(name)}, from {where}. Remove the cell "
                "from one of the runs, after finding out why"
            )


def _alike(a: object, b: object, tolerance: float) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b))
    return a == b


def _joined_rows(parts: Sequence[Part]) -> list[Row]:
    joined: dict[tuple[Any, ...], tuple[Part, Row]] = {}
    for part, row in _all_rows(parts):
        candidate = None if row["phase"] == "test" else row.get("candidate")
        place = (row["phase"], row["solver"], candidate, *MeasurementId.of(row))
        if place not in joined:
            joined[place] = (part, row)
            continue
        first, known = joined[place]
        if known["cell_key"] != row["cell_key"]:
            raise ResultError(_what_changed(first, known, part, row))
        if _better(row, known):
            joined[place] = (part, row)
    return [row for _, row in joined.values()]


def _what_changed(first: Part, a: Row, second: Part, b: Row) -> str:
    one, other = (p.outcomes.get(r["cell_key"], {}).get("parts", {}) for p, r in ((first, a), (second, b)))
    differing = ", ".join(k for k in one if one.get(k) != other.get(k)) or "what its key covers"
    tuned = f" (tuned to {a.get('tuned')} and {b.get('tuned')})" if a.get("tuned") != b.get("tuned") else ""
    return (
        f"{first.folder} and {second.folder} have different cells for {a['solver']} on {a['setting']!r}, "
        f"{a['image']!r}: {differing} differ{tuned}. Run one of them again with the code and grid of the other"
    )


def _all_rows(parts: Sequence[Part]) -> Iterable[tuple[Part, Row]]:
    return ((part, row) for part in parts for row in part.rows)


# --- the folder -----------------------------------------------------------------------------------------------


def _joined_facts(parts: Sequence[Part], rows: Sequence[Row], outcomes: Mapping[str, Row], text: str) -> Row:
    test = [r for r in rows if r["phase"] == "test"]
    ok = sum(r["status"] == "ok" for r in test)
    facts = [p.facts for p in parts]
    commits = {f.get("commit") for f in facts}
    choices: list[Any] = []
    for f in facts:
        choices += [c for c in f["tuning"] if not any(_same_choice(c, known) for known in choices)]
    return {
        **facts[0],
        "grid_text": text,
        "commit": commits.pop() if len(commits) == 1 else None,
        "dirty": any(f.get("dirty") for f in facts),
        "environments": len({o["env_id"] for o in outcomes.values() if o.get("env_id")}),
        "started_at": min(f["started_at"] for f in facts),
        "finished_at": max(f["finished_at"] for f in facts),
        "cells": {"total": len(test), "ok": ok, "failed": len(test) - ok},
        "measurements": len({r["y_sha"] for r in test if r.get("y_sha")}),
        "tuning": choices,
        "solvers": {label: about for f in facts for label, about in (f.get("solvers") or {}).items()},
        "merged": [{n: f.get(n) for n in ("name", "commit", "dirty", "started_at", "finished_at")} for f in facts],
        "stamp": None,  # that of no run: the next bench run here puts its files into its own order
    }


def _same_choice(a: Row, b: Row) -> bool:
    return (a.get("solver"), a.get("settings")) == (b.get("solver"), b.get("settings"))


def _write(
    out: ResultsFolder, parts: Sequence[Part], rows: Sequence[Row], outcomes: Mapping[str, Row], facts: Row
) -> None:
    with journal.Journal(out.journal) as log:
        for outcome in outcomes.values():
            log.append(outcome)
    results.write(out.table, rows, facts["metrics"])
    about = {o["env_id"]: o["environment"] for o in outcomes.values() if o.get("environment")}
    results.write_environments(out.environments, about)
    _join_images([p.run for p in parts], out)
    for part in parts:  # what a resumed run gathers its images from
        for file in sorted(part.run.folder.estimates.glob("[!.]*.npz")):
            target = out.estimates / file.name
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                shutil.copyfile(file, target)
    write_text(out.hashes, json.dumps(_joined_hashes(parts), indent=0))
    write_text(out.grid, facts["grid_text"])
    out.write_facts(facts)


def _joined_hashes(parts: Sequence[Part]) -> dict[str, str]:
    known: dict[str, str] = {}
    for part in parts:
        with suppress(OSError, ValueError, TypeError):  # only a cache
            known.update(json.loads(part.run.folder.hashes.read_text(encoding="utf-8")))
    return known


def _join_images(runs: Sequence[Run], out: ResultsFolder) -> None:
    """Join the pictures of runs; of an array that several have the first one's stays.

    Raises ResultError for an index or archive that cannot be read.
    """
    by_measurement: dict[MeasurementId, list[Path]] = {}
    for picture in (p for run in runs for p in run.pictures):
        by_measurement.setdefault(picture.measurement, []).append(picture.file)
    names = {measurement: f"{number:04d}.npz" for number, measurement in enumerate(by_measurement)}
    for measurement, files in by_measurement.items():
        _join_archives(files, out.images / names[measurement])
    out.write_index(names.items())


def _join_archives(files: Sequence[Path], out: Path) -> None:
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as joined:
        for file in files:
            try:
                with zipfile.ZipFile(file) as archive:
                    for name in archive.namelist():
                        if name not in joined.NameToInfo:
                            joined.writestr(name, archive.read(name), zipfile.ZIP_DEFLATED)
            except zipfile.BadZipFile as error:
                raise ResultError(f"{file} is damaged: {error}") from error
