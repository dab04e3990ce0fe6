"""Rows of benchmarks as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: column -> value; None where nothing was measured
Row = Mapping[str, Any]


def text(value: object) -> str:
    """A cell: three significant digits of a float, thousands set apart, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        if value != value:
            return ""
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def markdown(columns: Mapping[str, str], rows: Iterable[Row]) -> str:
    """A table with the named columns: key -> heading. Those in which no row has a value are left out.

    Of keys that end in "db" two decimals are shown.
    """
    cells = [[_cell(key, row.get(key)) for key in columns] for row in rows]
    used = [i for i in range(len(columns)) if any(line[i] for line in cells)]
    headings = list(columns.values())
    right = [all(_number(line[i]) for line in cells) for i in used]
    lines = [[headings[i] for i in used], ["---:" if r else "---" for r in right]]
    lines += [[line[i] for i in used] for line in cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(columns: Mapping[str, str], rows: Iterable[Any]) -> None:
    """Print a table of NamedTuples once all of them were measured, and an empty line."""
    print(markdown(columns, [row._asdict() for row in rows]), end="\n\n")


def _cell(key: str, value: object) -> str:
    return f"{value:.2f}" if key.endswith("db") and isinstance(value, float) else text(value)


def _number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] == "-"
