"""RSBlur: real blur, recorded through a beam splitter beside a sharp picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from bench import DataError, Dataset
from bench.imaging.pairs import RecordedPairs, rsblur

RECIPE = """The set is RSBlur of J. Rim, G. Kim, J. Kim, J. Lee, S. Lee and S. Cho, "Realistic blur synthesis for
learning image deblurring" (ECCV 2022), which they distribute; this project ships no copy. Name its folder, which
holds SCENE/SHOT/gt/gt_sharp.png and SCENE/SHOT/real_blur/real_blur.png, or one of its text lists of pairs."""


@dataclass(frozen=True)
class RSBlur(RecordedPairs, Dataset):
    """RSBlur (Rim et al. 2022): real blur and the sharp picture beside it, from your own copy, for `recorded`.

    An id is the sharp picture's path. With the operator ``recorded`` it comes with the blurred picture; with any
    other, the sharp picture is blurred. No PSF is known: ``recorded`` problems are blind.
    """

    group_depth: ClassVar[int] = 2  # of SCENE/SHOT/gt/gt_sharp.png

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

    def find(self) -> list[tuple[str, Path, Path]]:
        """The pairs of the folder."""
        root = Path(self.path).expanduser()
        if not root.exists():
            raise DataError(f"rsblur: there is no {root.absolute()}. {RECIPE}")
        return rsblur(root)
