"""The page docs/speed.md, made of what the sections have saved."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bars import COLUMNS as BAR_COLUMNS
from bars import bars
from growth import FIT_COLUMNS, fits
from readings import READINGS
from speed_plots import draw
from suite import SECTIONS, Section, Table, headings
from tables import Row, markdown

HEAD = """# Speed, side by side

Written by `python benchmarks/speed.py`: do not edit. Every section was measured in a process of its own.

**What counts.** CPU seconds of one process or, for commands, of all their processes; the smallest of the repeats,
since other work on a machine only adds; one thread, and one worker unless it says otherwise. Wall seconds and
milliseconds are called so. All on the CPU: `channels_last`, `torch.compile` and bfloat16, which may pay on a GPU, are
not measured. An empty cell was not measured; nothing is extrapolated.
"""


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Section -> what it has saved."""
    files = [(s.name, folder / f"{s.name}.json") for s in SECTIONS]
    return {name: json.loads(f.read_text(encoding="utf-8")) for name, f in files if f.exists()}


def write(folder: Path, page: Path) -> None:
    """Write the page and its plots."""
    saved = load(folder)
    tables = {n: t["rows"] for found in saved.values() for n, t in found["tables"].items()}
    drawn = draw(tables, page.parent / "img")
    parts = [HEAD, *_how(saved), *_bars(tables)]
    for section in SECTIONS:
        parts += _section(section, saved.get(section.name), drawn)
    page.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def _how(saved: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    if any(found.get("quick") for found in saved.values()):
        yield "**Measured with `--quick`: tiny sizes, to see that the suite works. No figure of this page counts.**\n"
    rows = []
    for name, found in saved.items():
        about = found.get("environment", {})
        commit = f"{about.get('commit', '')}{' with changes' if about.get('changed') else ''}"
        rows.append({**about, "name": name, "commit": commit, "seconds": round(found.get("seconds", 0)),
                     "error": found.get("error", "")})  # fmt: skip
    columns = {
        "name": "section", "seconds": "took, s", "date": "date", "commit": "commit", "load": "load at its start",
        "processor": "processor", "cores": "cores", "error": "",
    }  # fmt: skip
    # A section that was ended before its first row knows none of this.
    values = {k: {r[k] for r in rows if r.get(k)} for k in ("date", "commit", "processor", "cores")}
    constant = {k for k, of in values.items() if len(of) < 2}
    said = [f"{columns[k]} {next(iter(of))}" for k, of in values.items() if len(of) == 1]
    versions = {k: v for found in saved.values() for k, v in found.get("environment", {}).get("versions", {}).items()}
    yield f"**How.** {'; '.join(said)}. {', '.join(f'{k} {v}' for k, v in versions.items() if v != 'absent')}.\n"
    yield markdown({k: v for k, v in columns.items() if k not in constant}, rows) + "\n"


def _bars(tables: Mapping[str, list[Row]]) -> Iterator[str]:
    found = bars(tables)
    count = {v: sum(b.verdict == v for b in found) for v in ("reached", "MISSED", "not measured")}
    yield "## Bars\n"
    yield f"{count['reached']} are reached, {count['MISSED']} missed, {count['not measured']} not measured.\n"
    yield markdown(BAR_COLUMNS, [b._asdict() for b in found]) + "\n"


def _section(section: Section, found: dict[str, Any] | None, drawn: Mapping[str, str]) -> Iterator[str]:
    yield f"## {section.title}\n"
    if found is None:
        yield "Not run.\n"
        return
    if found.get("error"):
        yield f"**Not complete:** {found['error']}.\n"
    for table in section.tables:
        yield from _table(table, found["tables"].get(table.name, {"rows": [], "error": "not run"}), drawn)
    methods = "\n\n".join(_method(module) for module in dict.fromkeys(t.module for t in section.tables))
    yield f"<details><summary>How it is measured</summary>\n\n{methods}\n\n</details>\n"


def _table(table: Table, saved: dict[str, Any], drawn: Mapping[str, str]) -> Iterator[str]:
    rows = saved["rows"]
    yield f"### {table.title}\n"
    if rows:
        yield f"{READINGS[table.name](rows)}\n"
        yield _columns(table, rows) + "\n"
    if table.name in drawn:
        yield f"![{table.title}](img/{drawn[table.name]})\n"
    if saved["error"]:
        yield f"**Not complete:** {saved['error']}.\n"


def _columns(table: Table, rows: list[Row]) -> str:
    if table.name != "growth":
        return markdown(headings(table), rows)
    workers = [r for r in rows if r["axis"] == "workers"]
    return markdown(FIT_COLUMNS, [f._asdict() for f in fits(rows)]) + "\n\n" + markdown(headings(table), workers)


def _method(module: str) -> str:
    """The benchmark's own description."""
    return (importlib.import_module(module).__doc__ or "").strip()
