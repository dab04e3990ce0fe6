"""Files: written whole or not at all, built-in folders, and "a path or a shipped name"."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.errors import BenchError, ResultError, did_you_mean


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    Raises ResultError when the file cannot be written (a full disk, a folder without permission).
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as f:
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder, if anything may be removed there."""
    for left in folder.glob(".*.tmp"):
        with suppress(OSError):
            left.unlink()


def write_text(path: Path, text: str) -> None:
    """Write text atomically. Raises ResultError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cell_text(value: Any) -> Any:
    """A value as a CSV file may hold it: a text that a spreadsheet would take for a formula gets an apostrophe."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    with suppress(ValueError):
        float(value)
        return value
    return f"'{value}"


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is: no link, picture, tag, table or line of its own."""
    return re.sub(r"([\\`*\[\]<>|#~!])", r"\\\1", " ".join(text.split()))


def hold(fd: int, holder: Path, by: str, error: type[BenchError]) -> None:
    """Lock an open file until it is closed or the process ends, and write into ``holder`` which process has it.

    Raises ``error`` when another process has it: the holder's folder is in use ``by`` ("another run").
    """
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        in_use = f"{holder.parent} is in use by {by}{_holder(holder)}"
        raise error(f"{in_use}; wait for it, or give --out another folder") from problem
    me = f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
    holder.write_text(me, encoding="utf-8")


def _holder(path: Path) -> str:
    """Who holds the lock, in brackets; nothing where that cannot be read."""
    try:
        holder = path.read_text(encoding="utf-8", errors="replace").strip()[:200]
    except OSError:
        return ""
    return f" ({holder})" if holder.isprintable() and holder else ""


def cache_folder(name: str) -> Path:
    """``$XDG_CACHE_HOME/deblur-bench/`` + name, by default under ``~/.cache``; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "deblur-bench" / name


def roots() -> list[Path]:
    """Where built-in folders lie: in the package, and beside it in a checkout."""
    package = Path(__file__).parent
    return [package, package.parent] if (package.parent / "pyproject.toml").is_file() else [package]


def built_in_folder(name: str) -> Path | None:
    """A built-in folder (solvers, operators, datasets, grids), in a checkout or in an installed wheel."""
    # what git leaves of a folder that has moved is its __pycache__
    return next((root / name for root in roots() if any((root / name).glob("[!_]*"))), None)


def shipped_files(name: str, suffix: str) -> dict[str, Path]:
    """The files of a built-in folder by their names without ``suffix``; none where there is no such folder."""
    place = built_in_folder(name)
    return {p.stem: p for p in sorted(place.glob(f"*{suffix}"))} if place else {}


def path_or_shipped(name: str, folder: str, suffix: str, error: type[BenchError]) -> Path:
    """The file that a name means: one of a built-in folder by its name without ``suffix``, or a path.

    Raises ``error`` with what ships and a guess.
    """
    shipped = shipped_files(folder, suffix)
    try:
        path = Path(name).expanduser()
        if name not in shipped and path.is_file():
            return path.resolve()
    except (OSError, ValueError, RuntimeError) as problem:  # too long, a NUL in it, the home of nobody
        raise error(f"{name[:100]!r} is no path: {problem}") from problem
    stem = name.removesuffix(suffix)
    if stem in shipped:
        return shipped[stem]
    what = folder if folder == "weights" else folder.removesuffix("s")
    guess = did_you_mean(Path(stem).name, shipped)
    raise error(f"there is no file {name!r} and no shipped {what} of that name. {guess} A path ends in {suffix}.")
