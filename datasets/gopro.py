"""GoPro: sharp frames of a fast camera, and the means of several of them, which are blurred by whatever moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import DataError, Dataset
from bench.imaging.pairs import RecordedPairs, gopro

RECIPE = """The set is GOPRO_Large of S. Nah, T. H. Kim and K. M. Lee, "Deep multi-scale convolutional neural network
for dynamic scene deblurring" (CVPR 2017), which they distribute; this project ships no copy. Name its folder test (or
train), which holds SEQUENCE/sharp/NUMBER.png and SEQUENCE/blur/NUMBER.png, or target/*.png and input/*.png."""


@dataclass(frozen=True)
class GoPro(RecordedPairs, Dataset):
    """GoPro (Nah et al. 2017): sharp and blurred video frames from your own copy, for blind solvers and `recorded`.

    An id is a frame, "SEQUENCE/sharp/NUMBER.png". With the operator ``recorded`` it comes with the blurred frame that
    the authors made; with any other, its sharp frame is blurred. No PSF is known: ``recorded`` problems are blind.
    """

    #: GOPRO_Large/test, or train
    path: str
    #: the blurred frames: means of what the camera gave, or of what the sensor saw, with a gamma curve put back
    blurred: Literal["blur", "blur_gamma"] = "blur"
    #: average 2 x 2 pixels first (the halved set of study 001)
    halved: bool = False
    #: side of the centred crop; None for the whole frame, 1280 x 720
    size: int | None = None
    #: pixels around the field of view for synthetic blurs; recorded measurements have none
    margin: int = 0
    mode: Literal["gray", "rgb"] = "gray"
    #: only so many, spread evenly over the set
    limit: int | None = None

    def group_of(self, id: str) -> str:
        """The sequence: a folder, or in the flat layout the name up to its last hyphen."""
        return Path(id).stem.rpartition("-")[0] if id.startswith("target/") else super().group_of(id)

    def find(self) -> list[tuple[str, Path, Path]]:
        """The pairs of the folder."""
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise DataError(f"gopro: there is no folder {root.absolute()}. {RECIPE}")
        return gopro(root, self.blurred)
