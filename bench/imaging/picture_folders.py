"""The user's own folders of pictures: what their datasets share. Errors begin with the name of the dataset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.errors import DataError, SettingError
from bench.imaging.picture_files import EXTENSIONS, pictures_in


def root_of(path: str, dataset: str) -> Path:
    """The folder that a path names. Raises DataError."""
    try:
        return Path(path).expanduser()
    except RuntimeError as e:  # the home of nobody
        raise DataError(f"{dataset}: {path}: {e}") from e


def names_in(root: Path, dataset: str) -> list[str]:
    """Pictures by their path below the folder, in sorted order. Raises DataError where there is none."""
    kinds = ", ".join(EXTENSIONS)
    try:
        if not root.is_dir():
            raise DataError(f"{dataset}: {root} is not a folder; one with pictures ({kinds}) is needed")
        names = [p.relative_to(root).as_posix() for p in pictures_in(root)]
    except OSError as e:
        raise DataError(f"{dataset}: {root} cannot be searched ({e.strerror})") from e
    if odd := [n for n in names if not n.isprintable()]:  # bytes that are no text, or control characters
        raise DataError(f"{dataset}: the name of {odd[0]!r} in {root} is not UTF-8 text; rename it")
    if not names:
        raise DataError(f"{dataset}: no pictures ({kinds}) in {root.absolute()} or its subfolders")
    return names


def require_group(group: str | None, dataset: str) -> None:
    """Raise SettingError where ``group`` is no regular expression."""
    try:
        re.compile(group or "")
    except re.error as e:
        raise SettingError(f"{dataset}: group {group!r} is no regular expression: {e}") from e


def group_in(group: str, id: str, dataset: str) -> str:
    """The source that an id names: the first group in parentheses, else all that matches. Raises DataError."""
    if (match := re.search(group, id)) is None:
        raise DataError(f"{dataset}: group {group!r} matches nothing in the id {id!r}")
    return next((g for g in match.groups() if g), match[0])


def sides(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Height and width of a setting ``size``."""
    if isinstance(size, int):
        return size, size
    return None if size is None else (size[0], size[1])


def listed(bad: Sequence[str]) -> str:
    """Ten lines about pictures that cannot be used, and how many there are beyond them."""
    return "\n  ".join(bad[:10]) + (f"\n  ... and {len(bad) - 10} more" if len(bad) > 10 else "")
