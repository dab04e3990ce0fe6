"""Baselines: what a run reached, kept as a small parquet file with a readable .md beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import results
from bench.atomic import replacing, write_text
from bench.errors import ResultError
from bench.metrics import METRICS

FORMAT = "deblur-bench baseline 1"

#: Columns that a comparison needs; metrics follow as m_<name>.
COLUMNS = {
    **{
        name: results.COLUMNS[name]
        for name in ("solver", "dataset", "setting", "image", "psf_index", "rep", "status", "stochastic", "tuned")
    },
    **{name: results.COLUMNS[name] for name in ("y_sha", "weights_sha", "dtype", "device", "threads")},
    **{name: results.COLUMNS[name] for name in ("seconds", "n_A", "n_At", "nfe_forward", "nfe_backward")},
}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """Rows that can be compared, and where they come from.

    Attributes:
        rows: test cells, one per solver, setting, image, PSF and repetition.
        metrics: names.
        environment: machine and versions (see ``bench.environment``).
        commit: of the code that made them.
        history: what was accepted and why: {"solvers", "reason", "commit"}, oldest first.
    """

    rows: list[Row]
    metrics: tuple[str, ...]
    environment: dict[str, str]
    commit: str
    history: list[dict[str, Any]] = field(default_factory=list)


def of_run(folder: Path) -> Record:
    """The test cells of a results folder. Raises ResultError when they cannot be read."""
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{folder} is not a finished run: run.json cannot be read ({error})") from error
    rows: list[Row] = [r for r in results.read(folder / "results.parquet") if r["phase"] == "test"]
    metrics = tuple(n.removeprefix("m_") for n in rows[0] if n.startswith("m_")) if rows else ()
    return Record(rows, metrics, facts.get("environment") or {}, facts.get("commit") or "")


def read(path: Path) -> Record:
    """A baseline file. Raises ResultError when it is missing, damaged or no baseline."""
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise ResultError(f"there is no baseline {path}: write one with bench baseline update RUN --baseline {path}")
    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path} cannot be read as a baseline: {error}") from error
    said = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    if said.get("format") != FORMAT:
        raise ResultError(f"{path} is no baseline of this version ({FORMAT})")
    about = json.loads(said["about"])
    rows: list[Row] = table.to_pylist()
    return Record(rows, tuple(about["metrics"]), about["environment"], about["commit"], about["history"])


def write(path: Path, record: Record) -> None:
    """Write a baseline, and its group means beside it as Markdown, so that a change can be read in a diff."""
    import pyarrow as pa
    from pyarrow import parquet

    about = {
        "metrics": list(record.metrics),
        "environment": record.environment,
        "commit": record.commit,
        "history": record.history,
    }
    kinds = {**COLUMNS, **{f"m_{m}": "double" for m in record.metrics}}
    fields = [pa.field(name, pa.type_for_alias(kind)) for name, kind in kinds.items()]
    schema = pa.schema(fields, metadata={"format": FORMAT, "about": json.dumps(about)})
    ordered = sorted(record.rows, key=lambda r: tuple(str(r[n]) for n in ("solver", "setting", "image", "psf_index")))
    columns = [pa.array([row.get(f.name) for row in ordered], f.type) for f in schema]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        parquet.write_table(pa.Table.from_arrays(columns, schema=schema), temporary)
    write_text(path.with_suffix(".md"), markdown(record))


def updated(old: Record | None, new: Record, solvers: Iterable[str], reason: str) -> Record:
    """``old`` with the rows of ``solvers`` replaced by those of ``new``. Raises ResultError for failing cells."""
    chosen = set(solvers)
    taken = [r for r in new.rows if r["solver"] in chosen]
    failing = [r for r in taken if r["status"] != "ok"]
    if failing:
        first = failing[0]
        raise ResultError(
            f"{len(failing)} cells failed, the first is {first['solver']} on {first['setting']}, {first['image']} "
            f"({first['status']}): a baseline holds no failures"
        )
    kept = [r for r in (old.rows if old else []) if r["solver"] not in chosen]
    entry = {"solvers": sorted(chosen), "reason": reason, "commit": new.commit}
    return replace(new, rows=[*kept, *taken], history=[*(old.history if old else []), entry])


def markdown(record: Record) -> str:
    """Group means per solver and setting, and what was accepted when."""
    lines = ["# Baseline", "", "Written by `bench baseline update`; the numbers are means over images.", ""]
    heads = ["solver", "setting", "cells", *record.metrics]
    lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for (solver, setting), rows in sorted(groups(record.rows).items()):
        means = [_mean([r.get(f"m_{m}") for r in rows], METRICS[m].digits + 1) for m in record.metrics]
        lines.append("| " + " | ".join([solver, setting, str(len(rows)), *means]) + " |")
    lines += ["", "## Accepted", ""]
    lines += [f"- {', '.join(e['solvers'])}: {e['reason']} (commit {e['commit'] or '?'})" for e in record.history]
    return "\n".join(lines) + "\n"


def groups(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by solver and setting."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["solver"], row["setting"]), []).append(row)
    return found


def _mean(values: Sequence[float | None], digits: int) -> str:
    known = [v for v in values if v is not None and not math.isnan(v)]
    return f"{sum(known) / len(known):.{digits}f}" if known else "–"
