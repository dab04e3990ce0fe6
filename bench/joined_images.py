"""The kept estimates of several runs as those of one: an npz per shot with every solver's arrays."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.atomic import replacing, write_text
from bench.errors import ResultError

_PLACE = ("setting", "image", "psf_index", "rep")


def join(folders: Sequence[Path], out: Path) -> None:
    """Join ``images/`` folders; of an array that several have the first one's stays.

    Raises ResultError for an index or archive that cannot be read.
    """
    by_shot: dict[tuple[Any, ...], list[Path]] = {}
    for folder in folders:
        for entry in _index(folder):
            by_shot.setdefault(tuple(entry[n] for n in _PLACE), []).append(folder / Path(entry["file"]).name)
    index = []
    for number, (place, files) in enumerate(by_shot.items()):
        name = f"{number:04d}.npz"
        _join_archives(files, out / name)
        index.append({**dict(zip(_PLACE, place, strict=True)), "file": name})
    write_text(out / "index.json", json.dumps(index, indent=1, ensure_ascii=False))


def _index(folder: Path) -> list[dict[str, Any]]:
    file = folder / "index.json"
    if not file.is_file():
        return []
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return [{n: e[n] for n in (*_PLACE, "file")} for e in entries]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ResultError(f"{file} is no index of images: {error!r}") from error


def _join_archives(files: Sequence[Path], out: Path) -> None:
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as joined:
        for file in files:
            try:
                with zipfile.ZipFile(file) as archive:
                    for name in archive.namelist():
                        if name not in joined.NameToInfo:
                            joined.writestr(name, archive.read(name), zipfile.ZIP_DEFLATED)
            except zipfile.BadZipFile as error:
                raise ResultError(f"{file} is damaged: {error}") from error
