"""Measured errors of priors, by the content of the prior: written by ``bench calibrate``, looked up without torch.

A folder for each prior holds a record (JSON) for each measurement, and the name of the one in use: the last that was
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import WeightsError
from bench.files import cache_folder, write_text
from bench.plugins.code_digest import code_digest
from bench.plugins.contents import keyed
from bench.plugins.describe import Plugin
from bench.seeds import digest

FORMAT = "deblur-bench calibration 1"
_IN_USE = "in_use"


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/deblur-bench/calibrations``, by default under ``~/.cache``."""
    return cache_folder("calibrations")


def place_of(plugin: Plugin, settings: Mapping[str, Any]) -> Path:
    """The folder of a prior's records: named by its code, its settings and the content of the files they name."""
    return default_cache() / digest([plugin.class_name, code_digest(plugin), keyed(plugin, settings)])[:32]


def read(path: Path) -> dict[str, Any]:
    """A record. Raises WeightsError where it is missing or is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as a calibration: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise WeightsError(f"{path} is no calibration ({FORMAT})")
    return record


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Store a record, atomically. Raises ResultError."""
    write_text(path, json.dumps({"format": FORMAT, **record}, indent=1, ensure_ascii=False) + "\n")


def use(path: Path) -> None:
    """Let runs take this record from now on."""
    write_text(path.with_name(_IN_USE), path.name)


def forget(plugin: Plugin, settings: Mapping[str, Any]) -> bool:
    """Let runs take none; whether there was one in use. Records stay, so that nothing is measured twice."""
    pointer = place_of(plugin, settings) / _IN_USE
    there = pointer.is_file()
    pointer.unlink(missing_ok=True)
    return there


def in_use(plugin: Plugin, settings: Mapping[str, Any]) -> Path | None:
    """The record that runs take of this prior, or None.

    Raises WeightsError where one is named that cannot be read: results must not depend on who tidied up a cache.
    """
    pointer = place_of(plugin, settings) / _IN_USE
    if not pointer.is_file():
        return None
    path = pointer.with_name(pointer.read_text(encoding="utf-8").strip())
    read(path)
    return path
