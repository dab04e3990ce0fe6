"""The two sides of a comparison: a run folder, and a baseline file or another run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import results
from bench.errors import ResultError
from bench.report.load import Pictures, Row, load

#: Key of the parquet metadata that makes results a baseline.
META = b"deblur_bench_baseline"
#: What of an environment may move a number by more than nothing; a kernel's or Python's version does not.
DECISIVE = ("cpu", "simd", "device", "torch", "numpy", "scipy")
#: What must agree for two numbers of one name to mean the same.
PROTOCOL = ("boundary", "border", "clip", "dtype")


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        name: how the texts call it.
        rows: test rows, as in results.parquet; a baseline's have ``picture`` besides (data URI or None).
        protocol: what the grid said of boundary, border, clip and dtype.
        environments: env_id -> versions and processor, of the rows whose environment is known.
        commit: abbreviated, with "+" if the tree differed from it; None when not known.
        date: ISO date of the run, or of the last update of a baseline.
        pictures: estimates that a run folder kept.
        meta: what else a baseline's file says.
    """

    name: str
    rows: list[Row]
    protocol: Mapping[str, Any]
    environments: Mapping[str, Mapping[str, str]]
    commit: str | None
    date: str
    pictures: list[Pictures]
    meta: Mapping[str, Any]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that it has columns for."""
        return [c.removeprefix("m_") for c in (self.rows[0] if self.rows else {}) if c.startswith("m_")]

    def environment(self, row: Row) -> Mapping[str, str]:
        """What is known of where a row was computed; empty if nothing is."""
        return self.environments.get(row.get("env_id") or "", {})


def read_run(folder: Path) -> Side:
    """A run folder. Raises ResultError if it is none, is unfinished, or holds two measurements of one cell."""
    loaded = load([folder])
    facts = loaded.facts[0]
    rows = [r for r in loaded.rows if r["phase"] == "test"]
    if not rows:
        raise ResultError(f"{folder} holds no test results: there is nothing to check")
    known = {e["env_id"]: {k: v for k, v in e.items() if k != "env_id"} for e in loaded.environments}
    ids = {r["env_id"] for r in rows if r.get("env_id")}
    if len(ids) == 1:  # run.json names the environment of a run that had one
        known.setdefault(next(iter(ids)), facts.get("environment") or {})
    return Side(
        str(facts["name"]), rows, facts.get("protocol") or {}, known, abbreviated(facts),
        str(facts.get("finished_at") or "")[:10], loaded.pictures, {},
    )  # fmt: skip


def read_baseline(path: Path) -> Side:
    """A baseline file of ``bench baseline update``, or a run folder. Raises ResultError if it cannot be read."""
    if path.is_dir():
        return read_run(path)
    if not path.is_file():
        raise ResultError(f"there is no baseline {path}: bench baseline update RUN --baseline {path} --all makes one")
    rows = results.read(path)
    meta = metadata(path)
    last = meta["accepted"][-1]
    return Side(
        path.name, rows, meta["protocol"], meta["environments"], abbreviated(last), last["date"], [], meta
    )  # fmt: skip


def metadata(path: Path) -> dict[str, Any]:
    """What ``bench baseline update`` wrote beside the rows. Raises ResultError if it is not there."""
    from pyarrow import parquet

    raw = (parquet.read_schema(path).metadata or {}).get(META)
    try:
        meta = json.loads(raw or b"")
        if meta["accepted"] and meta["protocol"] and isinstance(meta["environments"], dict):
            return meta
    except (ValueError, KeyError, TypeError):
        pass
    raise ResultError(f"{path} is not a baseline: it was not written by bench baseline update")


def abbreviated(facts: Mapping[str, Any]) -> str | None:
    """A commit's first digits, with + when the tree differed from it."""
    head = facts.get("commit")
    return f"{head[:9]}{'+' if facts.get('dirty') else ''}" if head else None


def same_environment(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    """Whether what may move a number is known and the same."""
    return all(a.get(k) is not None and a.get(k) == b.get(k) for k in DECISIVE)


def protocol_differences(a: Side, b: Side) -> list[str]:
    """In words, what of the protocols differs."""
    return [
        f"{k} was {a.protocol.get(k)!r} in {a.name} and is {b.protocol.get(k)!r} in {b.name}"
        for k in PROTOCOL
        if a.protocol.get(k) != b.protocol.get(k)
    ]
