"""RSBlur: real blur, recorded through a beam splitter beside a sharp picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from bench import DataError, Dataset, Image
from bench.errors import did_you_mean
from bench.measure import Measurement
from bench.recorded_pairs import View, recorded, scene, spread, state
from bench.train.folders import rsblur

RECIPE = """The set is RSBlur of J. Rim, G. Kim, J. Kim, J. Lee, S. Lee and S. Cho, "Realistic blur synthesis for
learning image deblurring" (ECCV 2022), which they distribute; this project ships no copy. Name its folder, which
holds SCENE/SHOT/gt/gt_sharp.png and SCENE/SHOT/real_blur/real_blur.png, or one of its text lists of pairs."""


@dataclass(frozen=True)
class RSBlur(Dataset):
    """RSBlur (Rim et al. 2022): real blur and the sharp picture beside it, from your own copy, for `recorded`.

    An id is the sharp picture's path. With the operator ``recorded`` it comes with the blurred picture; with any
    other, the sharp picture is blurred. No PSF is known: ``recorded`` problems are blind.
    """

    #: a folder of the set, or a text file that lists a sharp and a blurred file per line
    path: str
    #: average 2 x 2 pixels first
    halved: bool = False
    #: side of the centred crop; None for the whole picture
    size: int | None = None
    #: pixels around the field of view for synthetic blurs; recorded measurements have none
    margin: int = 0
    mode: Literal["gray", "rgb"] = "gray"
    #: only so many, spread evenly over the set
    limit: int | None = None

    def __post_init__(self) -> None:
        View(self.mode, self.halved, self.size)

    def ids(self) -> list[str]:
        """Names of the sharp pictures."""
        return spread(list(self._files), self.limit)

    def load(self, id: str) -> Image:
        """The sharp picture: scene (C, H + 2 margin, W + 2 margin)."""
        return scene(id, self._file(id)[0], self._view, self.margin)

    def recorded(self, id: str) -> Measurement:
        """Blurred and sharp picture."""
        return recorded(*self._file(id), self._view)

    def fingerprint(self, id: str) -> str:
        """A digest of the files' paths, sizes and times and of the settings."""
        return state(__file__, self._file(id), self._view, self.margin)

    @property
    def _view(self) -> View:
        return View(self.mode, self.halved, self.size)

    def _file(self, id: str) -> tuple[Path, Path]:
        if id not in self._files:
            raise DataError(f"rsblur: no picture {id!r} in {self.path}. {did_you_mean(id, self._files)}")
        return self._files[id]

    @cached_property
    def _files(self) -> dict[str, tuple[Path, Path]]:
        root = Path(self.path).expanduser()
        if not root.exists():
            raise DataError(f"rsblur: there is no {root.absolute()}. {RECIPE}")
        return {name: (sharp, blurred) for name, sharp, blurred in rsblur(root)}
