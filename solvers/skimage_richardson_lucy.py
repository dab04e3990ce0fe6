"""scikit-image's Richardson-Lucy deconvolution."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from skimage.restoration import richardson_lucy
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.padding import crop, surround
from bench.methods.libraries.planes import Plane, by_plane


@dataclass(frozen=True)
class SkimageRichardsonLucy(Solver):
    """scikit-image: restoration.richardson_lucy, zero outside the (padded) image, stopped early."""

    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Richardson, J. Opt. Soc. Am. 62, 1972; Lucy, Astron. J. 79, 1974; scikit-image"

    num_iter: int = tunable(30, low=5, high=160)
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"  #: of data that are not circular

    def __post_init__(self) -> None:
        if self.num_iter < 1:
            raise SettingError(f"skimage_richardson_lucy: num_iter must be at least 1, got {self.num_iter}")

    def solve(self, problem: Problem) -> Tensor:
        """Each channel alone, not clipped from above. Circular data are continued periodically by one PSF."""
        y, sides = surround(problem, self.padding, wrap=True)
        return crop(by_plane(problem, self._plane, y), sides)

    def _plane(self, plane: Plane) -> np.ndarray:
        # The multiplicative update needs data >= 0; noise can take them below.
        return richardson_lucy(plane.y.clip(min=0), plane.psf, num_iter=self.num_iter, clip=False)
