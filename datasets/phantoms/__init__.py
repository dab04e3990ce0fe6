"""Drawn CT slices: medical-looking pictures without end, for those who may not share patients' data."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import getsource
from typing import Literal

import numpy as np
import scipy

from bench import DataError, Dataset, Image, SettingError
from bench.errors import did_you_mean
from bench.imaging.picture_files import fingerprint
from bench.seeds import generator

from . import anatomy, canvas


@dataclass(frozen=True)
class Phantoms(Dataset):
    """Procedural CT-like phantoms: axial slices of chest and abdomen, seeded, any size, no patient's data.

    Body outline, fat, muscle, ribs, spine, lungs with vessel trees, heart and great vessels, liver, stomach,
    kidneys, bowel gas and the table, each slice drawn from its own random numbers, in Hounsfield units, with
    antialiased edges, texture and mottle, then mapped to [0, 1] by ``window``. The slice fills the scene, margin
    included. The anatomy of an id is the same at every size; its textures are not. The splits differ in their
    random numbers. They look like CT slices and are not: no measurement went into them, and they say nothing
    about diagnostic quality.
    """

    split: Literal["train", "val", "test"] = "test"
    #: side of the field of view in pixels; size + 2 margin is at least 32
    size: int = 128
    #: pixels of scene around it, for a PSF of up to 2 margin + 1 pixels
    margin: int = 32
    #: how many slices; there is no end of them
    limit: int = 16
    seed: int = 0
    #: "ct" alternates chest and abdomen
    kind: Literal["ct", "chest", "abdomen"] = "ct"
    #: Hounsfield units shown as 0 and as 1; (-160, 240) is a usual window for soft tissue
    window: tuple[float, float] = (-1000.0, 1000.0)

    def __post_init__(self) -> None:
        for name, allowed in (("split", ("train", "val", "test")), ("kind", ("ct", "chest", "abdomen"))):
            if getattr(self, name) not in allowed:
                raise SettingError(f"phantoms: no {name} {getattr(self, name)!r}. {did_you_mean(name, allowed)}")
        if self.size < 1 or self.margin < 0 or self.limit < 1:
            raise SettingError("phantoms: size and limit must be at least 1, margin at least 0")
        if self._side < 32:
            raise SettingError(f"phantoms: size + 2 margin must be at least 32 pixels, got {self._side}")
        if not self.window[0] < self.window[1]:
            raise SettingError(f"phantoms: window needs a lower and a higher number of HU, got {self.window}")

    def ids(self) -> list[str]:
        """Names like "test_000_chest"."""
        kinds = ("chest", "abdomen") if self.kind == "ct" else (self.kind,)
        return [f"{self.split}_{i:03d}_{kinds[i % len(kinds)]}" for i in range(self.limit)]

    def load(self, id: str) -> Image:
        """The slice of that name: scene (1, size + 2 margin, size + 2 margin)."""
        if id not in self.ids():
            raise DataError(f"phantoms: no slice {id!r}. {did_you_mean(id, self.ids())}")
        draw = anatomy.chest if id.endswith("chest") else anatomy.abdomen
        hu = draw(self._side, *(generator("phantoms", part, self.seed, id) for part in ("anatomy", "texture")))
        low, high = self.window
        return Image(id, np.clip((hu - low) / (high - low), 0.0, 1.0)[None], self.margin)

    def fingerprint(self, id: str) -> str:
        """A digest of the settings, the drawing code and the libraries' versions."""
        code = [getsource(module) for module in (canvas, anatomy)]
        settings = [self.size, self.margin, self.seed, list(self.window), scipy.__version__]
        return fingerprint(__file__, id, code, settings)

    @property
    def _side(self) -> int:
        return self.size + 2 * self.margin
