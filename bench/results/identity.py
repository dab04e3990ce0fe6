"""What was measured: the one identity that rows, pictures and clusters of a run share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class MeasurementId(NamedTuple):
    """Names one measurement within a run: every solver with this identity was given the same y.

    Attributes:
        dataset: id of the dataset in the grid: two datasets of one plug-in have two.
        split: of the dataset: "val" or "test".
        setting: id of the degradation.
        psf_index: which of the PSFs that are drawn from the blur.
        rep: which repetition of the noise.
    """

    dataset: str
    split: str
    setting: str
    image: str
    psf_index: int
    rep: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> MeasurementId:
        """Of a row of results, or of anything with its columns. Raises KeyError for one that is missing."""
        return cls(*(row[name] for name in cls._fields))

    @property
    def scene(self) -> str:
        """The image, whatever was done to it: the cluster of paired statistics. Dataset ids hold no slash."""
        return f"{self.dataset}/{self.image}"

    def __str__(self) -> str:
        return (
            f"image {self.image!r} of {self.dataset!r} ({self.split}) under {self.setting!r}, PSF {self.psf_index}, "
            f"repetition {self.rep}"
        )
