"""GoPro: sharp frames of a fast camera, and the means of several of them, which are blurred by whatever moved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from bench import DataError, Dataset, Image
from bench.errors import did_you_mean
from bench.measure import Measurement
from bench.recorded_pairs import View, recorded, scene, spread, state
from bench.train.folders import gopro

RECIPE = """The set is GOPRO_Large of S. Nah, T. H. Kim and K. M. Lee, "Deep multi-scale convolutional neural network
for dynamic scene deblurring" (CVPR 2017), which they distribute; this project ships no copy. Name its folder test (or
train), which holds SEQUENCE/sharp/NUMBER.png and SEQUENCE/blur/NUMBER.png."""


@dataclass(frozen=True)
class GoPro(Dataset):
    """GoPro (Nah et al. 2017): sharp and blurred video frames from your own copy, for blind solvers and `recorded`.

    An id is a frame, "SEQUENCE/sharp/NUMBER.png". With the operator ``recorded`` it comes with the blurred frame that
    the authors made; with any other, its sharp frame is blurred. No PSF is known: ``recorded`` problems are blind.
    """

    #: GOPRO_Large/test, or train
    path: str
    #: the blurred frames: means of what the camera gave, or of what the sensor saw, with a gamma curve put back
    blurred: Literal["blur", "blur_gamma"] = "blur"
    #: average 2 x 2 pixels first (the halved set of seed 001)
    halved: bool = False
    #: side of the centred crop; None for the whole frame, 1280 x 720
    size: int | None = None
    #: pixels around the field of view for synthetic blurs; recorded measurements have none
    margin: int = 0
    mode: Literal["gray", "rgb"] = "gray"
    #: only so many, spread evenly over the set
    limit: int | None = None

    def __post_init__(self) -> None:
        View(self.mode, self.halved, self.size)

    def ids(self) -> list[str]:
        """Names of the sharp frames."""
        return spread(list(self._files), self.limit)

    def load(self, id: str) -> Image:
        """The sharp frame: scene (C, H + 2 margin, W + 2 margin)."""
        return scene(id, self._file(id)[0], self._view, self.margin)

    def recorded(self, id: str) -> Measurement:
        """Blurred and sharp frame."""
        return recorded(*self._file(id), self._view)

    def fingerprint(self, id: str) -> str:
        """A digest of the files' paths, sizes and times and of the settings."""
        return state(__file__, self._file(id), self._view, self.margin)

    @property
    def _view(self) -> View:
        return View(self.mode, self.halved, self.size)

    def _file(self, id: str) -> tuple[Path, Path]:
        if id not in self._files:
            raise DataError(f"gopro: no frame {id!r} in {self.path}. {did_you_mean(id, self._files)}")
        return self._files[id]

    @cached_property
    def _files(self) -> dict[str, tuple[Path, Path]]:
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise DataError(f"gopro: there is no folder {root.absolute()}. {RECIPE}")
        return {name: (sharp, blurred) for name, sharp, blurred in gopro(root, self.blurred)}
