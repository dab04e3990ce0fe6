"""Names of a grid's datasets in tables: two of one plug-in must not share one, for they may share names of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def source_ids(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """One id per dataset: ``id:`` where it is given, else the plug-in's label and, where another has the same, what
    differs: ``folder path=a`` and ``folder path=b``. Equal entries get equal ids.

    Args:
        entries: (label, settings as the grid states them).
    """
    bases = [str(given.get("id", label)) for label, given in entries]
    counts = Counter(bases)
    return [
        base if counts[base] == 1 or "id" in given else _distinguished(base, given, _rivals(bases, entries, base))
        for base, (_, given) in zip(bases, entries, strict=True)
    ]


def is_id(value: object) -> bool:
    """Whether it can name a dataset: printable text without a slash, which separates it from an image's name."""
    return isinstance(value, str) and value != "" and value.isprintable() and "/" not in value


def _rivals(
    bases: Sequence[str], entries: Sequence[tuple[str, Mapping[str, Any]]], base: str
) -> list[Mapping[str, Any]]:
    return [given for b, (_, given) in zip(bases, entries, strict=True) if b == base and "id" not in given]


def _distinguished(base: str, given: Mapping[str, Any], rivals: Sequence[Mapping[str, Any]]) -> str:
    names = dict.fromkeys(name for r in rivals for name in r)
    differing = [n for n in names if len({repr(r.get(n)) for r in rivals}) > 1]
    parts = [f"{n}={_distinct(given[n], [r[n] for r in rivals if n in r])}" for n in differing if n in given]
    return " ".join([base, *parts])


def _distinct(value: Any, values: Sequence[Any]) -> str:
    """A value as text; of paths only from where they begin to differ, so that no table shows where a folder lies."""
    if not all(isinstance(v, str) for v in values):
        return str(value).replace("/", "-")
    split = [v.strip("/").split("/") for v in values]
    shared = 0
    while all(len(parts) > shared + 1 and parts[shared] == split[0][shared] for parts in split):
        shared += 1
    return "-".join(value.strip("/").split("/")[shared:])
