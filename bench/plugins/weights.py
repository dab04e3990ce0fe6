"""Trained weights by name, as files: found and hashed without importing torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from bench.errors import WeightsError, did_you_mean
from bench.files import shipped_files


def find_weights(name: str) -> Path:
    """The file that ``name`` means: a path ending in .safetensors, or shipped weights. Raises WeightsError."""
    if name.endswith(".safetensors"):
        path = Path(name).expanduser()
        if path.is_file():
            return path.resolve()
        raise WeightsError(f"there is no weights file {name}")
    shipped = shipped_files("weights", ".safetensors")
    if name in shipped:
        return shipped[name]
    raise WeightsError(f"no weights are called {name!r}. {did_you_mean(name, shipped)} A path ends in .safetensors.")


def sha256(path: Path) -> str:
    """sha256 (hex) of a file, read once as long as it does not change."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _mtime: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
