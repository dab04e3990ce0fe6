"""Ids and pixel hashes of a dataset's images, remembered so that nothing is decoded twice for its hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import DataError, PluginError
from bench.files import write_text
from bench.imaging.measure import array_sha
from bench.plugins import patience
from bench.plugins.code_digest import code_digest
from bench.plugins.lookup import load_plugin
from bench.plugins.settings import build
from bench.seeds import digest

if TYPE_CHECKING:
    from bench.contracts import Dataset
    from bench.grid.schema import Source


@dataclass(frozen=True)
class Indexed:
    """An image's id, the sha256 of its pixels, its place in the dataset, and the group that it belongs to."""

    id: str
    sha: str
    rank: int
    group: str | None = None


class ImageIndex:
    """Knows the images of datasets.

    Args:
        file: where hashes are remembered, or None. A hash is trusted as long as the dataset's settings, its code and
            the image's fingerprint are the same.
    """

    def __init__(self, file: Path | None = None):
        self.file = file
        self._known: dict[str, str] = {}
        self._images: dict[str, list[Indexed]] = {}
        if file is not None and file.is_file():
            try:
                known = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                known = None  # only a cache: hash again
            if isinstance(known, dict):
                self._known = {k: v for k, v in known.items() if isinstance(v, str)}

    def images(self, source: Source) -> list[Indexed]:
        """The images of a dataset in its order. Raises DataError, also when there are none or ids repeat."""
        name = digest([source.plugin.name, source.settings, code_digest(source.plugin)])
        if name not in self._images:
            dataset: Dataset = build(source.plugin, load_plugin(source.plugin), source.settings)
            with patience.limited(patience.LOOKING, f"listing dataset {source.plugin.name!r} ({source.plugin.path})"):
                ids = list(dataset.ids())
            if not ids:
                raise DataError(f"dataset {source.plugin.name!r} has no images with the settings {source.settings}")
            if len(set(ids)) < len(ids):
                raise DataError(f"dataset {source.plugin.name!r} has two images of one id")
            self._images[name] = [
                Indexed(i, self._sha(dataset, name, i), rank, dataset.group_of(i)) for rank, i in enumerate(ids)
            ]
        return self._images[name]

    def recorded_sha(self, source: Source, id: str) -> str:
        """sha256 of a recorded measurement and its PSF. Raises PluginError if the dataset has none."""
        name = digest([source.plugin.name, source.settings, code_digest(source.plugin), "recorded"])
        dataset: Dataset = build(source.plugin, load_plugin(source.plugin), source.settings)
        recorded = getattr(dataset, "recorded", None)
        if recorded is None:
            raise PluginError(f"dataset {source.plugin.name!r} has no recorded measurements: blur it instead")
        known = digest([name, id, dataset.fingerprint(id)])
        if known not in self._known:
            m = recorded(id)
            self._known[known] = digest([m.sha, array_sha(m.psf)])
        return self._known[known]

    def save(self) -> None:
        """Remember the hashes."""
        if self.file is not None:
            write_text(self.file, json.dumps(self._known, indent=0))

    def _sha(self, dataset: Dataset, name: str, id: str) -> str:
        fingerprint = dataset.fingerprint(id)
        if fingerprint is None:
            return image_sha(dataset, id)
        known = digest([name, id, fingerprint])
        if known not in self._known:
            self._known[known] = image_sha(dataset, id)
        return self._known[known]


def image_sha(dataset: Dataset, id: str) -> str:
    """sha256 of an image's pixels and margin, and of the frames beside it."""
    try:
        with patience.limited(patience.LOOKING, f"loading image {id!r} of {type(dataset).__name__}"):
            image = dataset.load(id)
    except MemoryError as error:
        raise DataError(f"{type(dataset).__name__} {id!r} does not fit in memory: {dataset}") from error
    beside = [] if image.burst is None else [array_sha(image.burst)]
    return digest([array_sha(image.scene), image.margin, *beside])
