"""The page docs/speed.md, made of what was saved of each table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from bars import bars
from growth import fits
from plots import draw
from tables import TABLES, Row, markdown

HEAD = """# Speed, side by side

Written by `python benchmarks/speed.py`: do not edit. Every table was measured in a process of its own;
`python benchmarks/speed.py --print TABLE` measures one again. `bench speed` times solvers, yours too, on yours.

**What counts.** CPU seconds of one process or, for commands, of all their processes; the smallest of the repeats,
since other work on a machine only adds; one thread, and one worker unless it says otherwise. Wall seconds and
milliseconds are called so. All on the CPU: `channels_last`, `torch.compile` and bfloat16, which may pay on a GPU, are
not measured. An empty cell was not measured; nothing is extrapolated.
"""
QUICK = "**Measured with `--quick`: tiny sizes, to see that the suite works. No figure of this page counts.**\n"
#: table -> what was saved: "about", "rows", "seconds", "error"
Saved = Mapping[str, Mapping[str, Any]]


def load(folder: Path) -> Saved:
    """What was saved of each table that was measured."""
    saved = {}
    for name in TABLES:
        if (file := folder / f"{name}.jsonl").exists():
            entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
            whole = {key: value for entry in entries for key, value in entry.items() if key != "row"}
            rows = [entry["row"] for entry in entries if "row" in entry]
            saved[name] = {"about": {}, "seconds": 0.0, "error": "", **whole, "rows": rows}
    return saved


def write(folder: Path, page: Path) -> None:
    """Write the page and its plots."""
    saved = load(folder)
    rows = {name: table["rows"] for name, table in saved.items()}
    drawn = draw(rows, page.parent / "img")
    parts = [HEAD, *_how(saved), *_bars(rows)]
    for section, names in groupby(TABLES, key=lambda name: TABLES[name].section):
        parts += _section(section, list(names), saved, drawn)
    page.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def _how(saved: Saved) -> Iterator[str]:
    if any(table["about"].get("quick") for table in saved.values()):
        yield QUICK
    known = [table["about"] for table in saved.values() if table["about"]]
    for key in ("date", "processor", "cores"):
        yield f"- {key}: {', '.join(dict.fromkeys(str(about[key]) for about in known))}"
    versions = {k: v for about in known for k, v in about["versions"].items()}
    yield f"- versions: {', '.join(f'{k} {v}' for k, v in versions.items())}\n"
    yield markdown(
        {"table": name, "took, s": round(table["seconds"]), "commit": table["about"].get("commit"),
         "load at its start": table["about"].get("load"), "not complete": table["error"]}
        for name, table in saved.items()
    ) + "\n"  # fmt: skip


def _bars(rows: Mapping[str, list[Row]]) -> Iterator[str]:
    judged = bars(rows)
    counts = [f"{sum(b['verdict'] == v for b in judged)} {v}" for v in ("reached", "MISSED", "not measured")]
    yield "## Bars\n\nA bar is a number that the project has set itself; a goal, that nothing a user would pick"
    yield f"instead is faster. {', '.join(counts)}.\n\n{markdown(judged)}\n"


def _section(section: str, names: list[str], saved: Saved, drawn: Mapping[str, str]) -> Iterator[str]:
    yield f"## {section}\n"
    for name in names:
        yield f"### {TABLES[name].title}\n"
        table = saved.get(name, {"rows": [], "error": "not run"})
        if table["rows"]:
            yield _table(name, table["rows"]) + "\n"
        if name in drawn:
            yield f"![{TABLES[name].title}](img/{drawn[name]})\n"
        if table["error"]:
            yield f"**Not complete:** {table['error']}.\n"
    methods = dict.fromkeys((TABLES[name].module.__doc__ or "").strip() for name in names)
    commands = "\n".join(f"    python benchmarks/speed.py --print {name}" for name in names)
    how = "\n\n".join([commands, *methods])
    yield f"<details><summary>How it is measured</summary>\n\n{how}\n\n</details>\n"


def _table(name: str, rows: list[Row]) -> str:
    if name != "growth":
        return markdown(rows)
    return markdown(fits(rows).values()) + "\n\n" + markdown(r for r in rows if r["axis"] == "workers")
