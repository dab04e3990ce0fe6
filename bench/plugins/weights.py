"""Trained weights by name, as files: looked up and hashed without importing torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from bench.errors import WeightsError
from bench.files import path_or_shipped


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
