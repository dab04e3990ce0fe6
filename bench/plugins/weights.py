"""Trained weights by name, as files: looked up and hashed without importing torch."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from bench.errors import WeightsError
from bench.files import path_or_shipped

#: bytes of a header that are read: as many as safetensors reads
LONGEST_HEADER = 100_000_000


def find_weights(name: str) -> Path:
    """The file that ``name`` means: a path ending in .safetensors, or shipped weights. Raises WeightsError."""
    return path_or_shipped(name, "weights", ".safetensors", WeightsError)


def sha256(path: Path) -> str:
    """sha256 (hex) of a file, read once as long as it does not change."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _mtime: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kind_of(path: Path) -> str | None:
    """What a file's card says that it holds: prior, conditional, restorer, unrolled; None for those of others.

    Reads the header alone: the length of a JSON text, 8 bytes of a little-endian number, then the text (safetensors).
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), LONGEST_HEADER)))
        card = json.loads(header["__metadata__"]["card"])
        return str(card.get("kind", "prior"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
