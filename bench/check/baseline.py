"""Baselines: what a run reached, stored as a small parquet file with a readable .md beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import ResultError
from bench.files import markdown_text, replacing, write_text
from bench.results import parquet as results
from bench.results.folder import ResultsFolder, Row
from bench.results.identity import MeasurementId
from bench.scoring import registry
from bench.scoring.registry import describe, known

FORMAT = "deblur-bench baseline 1"

#: What two machines must share for float32 to round alike.
MACHINE = ("torch", "numpy", "scipy", "simd", "device")
#: What must agree for a metric's name to mean the same number; no hash of the measurement shows it.
PROTOCOL = ("boundary", "border", "clip")

#: What names a measurement in a baseline: all of its rows are of the test split.
BASELINE_ID = tuple(n for n in MeasurementId._fields if n != "split")
#: Columns that a comparison needs; metrics follow as m_<name>.
COLUMNS = {
    **{name: results.COLUMNS[name] for name in ("solver", *BASELINE_ID, "status", "stochastic", "tuned")},
    **{name: results.COLUMNS[name] for name in ("y_sha", "weights_sha", "dtype", "device", "threads")},
    **{name: results.COLUMNS[name] for name in ("seconds", "n_A", "n_At", "nfe_forward", "nfe_backward")},
}


@dataclass(frozen=True)
class Record:
    """Rows that can be compared, and where they come from.

    Attributes:
        rows: test cells, one per solver, setting, image, PSF and repetition.
        metrics: names.
        environment: machine and versions (see ``bench.running.environment``).
        commit: of the code that made them.
        protocol: boundary, border and clip, of the grid.
        history: what was accepted and why: {"solvers", "reason", "commit"}, oldest first.
    """

    rows: list[Row]
    metrics: tuple[str, ...]
    environment: dict[str, str]
    commit: str
    protocol: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)


def of_run(folder: Path) -> Record:
    """The test cells of a results folder. Raises ResultError when they cannot be read."""
    run = ResultsFolder(folder).read()
    rows: list[Row] = [r for r in run.rows if r["phase"] == "test"]
    metrics = tuple(n.removeprefix("m_") for n in rows[0] if n.startswith("m_")) if rows else ()
    environment, commit = run.facts["environment"], str(run.facts.get("commit") or "")
    return Record(rows, metrics, environment, commit, run.facts["protocol"])


def measurement(row: Row) -> MeasurementId:
    """What a row was measured on; rows of a baseline state no split, for all are of the test split."""
    return MeasurementId.of({"split": "test", **row})


def read(path: Path) -> Record:
    """A baseline file. Raises ResultError when it is missing, damaged or no baseline."""
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise ResultError(f"there is no baseline {path}: write one with bench baseline update RUN --baseline {path}")
    try:
        # Not read_table: it imports pandas, which takes a second.
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        table.validate(full=True)
        metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        if metadata.get("format") != FORMAT:
            raise ResultError(f"{path} is no baseline of this version ({FORMAT})")
        about = json.loads(metadata["about"])
        metrics, environment = tuple(map(str, about["metrics"])), {**about["environment"]}
        protocol, history = {**(about.get("protocol") or {})}, [dict(e) for e in about["history"]]
        record = Record(table.to_pylist(), metrics, environment, str(about["commit"]), protocol, history)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError, pa.ArrowException) as error:
        raise ResultError(f"{path} cannot be read as a baseline: {error}") from error
    registry.learn(_described(about.get("described")))
    if unknown := [m for m in metrics if m not in known()]:
        raise ResultError(f"{path} holds metrics that this version does not know: {', '.join(unknown)}")
    if lacking := {*COLUMNS, *(f"m_{m}" for m in metrics)} - set(table.column_names):
        raise ResultError(f"{path} cannot be read as a baseline: it lacks the columns {', '.join(sorted(lacking))}")
    return record


def _described(given: Any) -> Iterator[registry.MetricInfo]:
    """What a baseline says of its metrics; those of earlier versions say nothing, for all were built in."""
    for name, text in given.items() if isinstance(given, dict) else ():
        info = registry.from_json(str(name), text) if isinstance(text, str) else None
        yield from () if info is None else (info,)


def same_protocol(before: Record, now: Record) -> None:
    """Raise ResultError unless both were scored alike."""
    changed = [
        f"{n}: {before.protocol.get(n)} before, {now.protocol.get(n)} now"
        for n in PROTOCOL
        if n not in before.protocol or before.protocol[n] != now.protocol.get(n)
    ]
    if changed:
        raise ResultError(
            f"not comparable: scored under another protocol ({'; '.join(changed)}). If that is meant, write a new "
            "baseline: bench baseline update RUN --all --reason …"
        )


def write(path: Path, record: Record) -> None:
    """Write a baseline, and its group means beside it as Markdown, so that a change can be read in a diff."""
    import pyarrow as pa
    from pyarrow import parquet

    about = {
        "metrics": list(record.metrics),
        "described": {m: registry.as_json(describe(m)) for m in record.metrics if m in known()},
        "environment": record.environment,
        "commit": record.commit,
        "protocol": {n: record.protocol.get(n) for n in PROTOCOL},
        "history": record.history,
    }
    kinds = {**COLUMNS, **{f"m_{m}": "double" for m in record.metrics}}
    fields = [pa.field(name, pa.type_for_alias(kind)) for name, kind in kinds.items()]
    schema = pa.schema(fields, metadata={"format": FORMAT, "about": json.dumps(about)})
    ordered = sorted(record.rows, key=lambda r: [r["solver"], r["setting"], *map(str, measurement(r))])
    columns = [pa.array([row.get(f.name) for row in ordered], f.type) for f in schema]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        parquet.write_table(pa.Table.from_arrays(columns, schema=schema), temporary, write_page_checksum=True)
    write_text(path.with_suffix(".md"), markdown(record))


def updated(old: Record | None, new: Record, solvers: Iterable[str], reason: str) -> Record:
    """``old`` with the rows of ``solvers`` replaced by those of ``new``; ``old`` None: these rows alone.

    Raises ResultError for failing cells, and when the rows that stay could not be compared with the new ones.
    """
    chosen = set(solvers)
    taken = [r for r in new.rows if r["solver"] in chosen]
    failing = [r for r in taken if r["status"] != "ok"]
    if failing:
        first = failing[0]
        raise ResultError(
            f"{len(failing)} cells failed, the first is {first['solver']} on {first['setting']}, {first['image']} "
            f"({first['status']}): a baseline holds no failures"
        )
    staying = [r for r in (old.rows if old else []) if r["solver"] not in chosen]
    if old and staying:
        _check_mixed(old, new, [*staying, *taken])
    entry = {"solvers": sorted(chosen), "reason": reason, "commit": new.commit}
    return replace(new, rows=[*staying, *taken], history=[*(old.history if old else []), entry])


def _check_mixed(old: Record, new: Record, rows: Sequence[Row]) -> None:
    """Raise ResultError unless rows of both may stand under one heading."""
    same_protocol(old, new)
    if set(old.metrics) != set(new.metrics):
        reason = f"metrics {', '.join(old.metrics)} before, {', '.join(new.metrics)} now"
    elif any(r["dtype"] != "float64" for r in rows) and any(
        old.environment.get(n) != new.environment.get(n) for n in MACHINE
    ):
        reason = "float32 on another machine than the rows that stay: what is allowed depends on it"
    elif other := _measured_twice(rows):
        reason = f"two measurements of {other}"
    else:
        return
    raise ResultError(f"a baseline holds rows of one kind: {reason}. Take the whole run instead: --all")


def _measured_twice(rows: Iterable[Row]) -> str:
    """The first measurement whose rows come from two measurements; empty if there is none."""
    seen: dict[MeasurementId, Any] = {}
    for r in rows:
        if seen.setdefault(measurement(r), r["y_sha"]) != r["y_sha"]:
            return str(measurement(r))
    return ""


def markdown(record: Record) -> str:
    """Group means per solver and setting, and what was accepted when."""
    lines = ["# Baseline", "", "Written by `bench baseline update`; the numbers are means over images.", ""]
    heads = ["solver", "setting", "cells", *record.metrics]
    lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for (solver, setting), rows in sorted(groups(record.rows).items()):
        means = [_mean([r.get(f"m_{m}") for r in rows], describe(m).digits + 1) for m in record.metrics]
        lines.append(
            "| " + " | ".join([markdown_text(solver), markdown_text(setting), str(len(rows)), *means]) + " |"
        )
    lines += ["", "## Accepted", ""]
    for e in record.history:
        accepted = f"{', '.join(e['solvers'])}: {e['reason']} (commit {e['commit'] or '?'})"
        lines.append(f"- {markdown_text(accepted)}")
    return "\n".join(lines) + "\n"


def groups(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by solver and setting."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["solver"], row["setting"]), []).append(row)
    return groups


def _mean(values: Sequence[float | None], digits: int) -> str:
    known = [v for v in values if v is not None and not math.isnan(v)]
    return f"{sum(known) / len(known):.{digits}f}" if known else "–"
