"""scikit-image's Wiener-Hunt deconvolution."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from skimage.restoration import wiener
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.padding import crop, surround
from bench.methods.libraries.planes import Plane, by_plane, impulse_response


@dataclass(frozen=True)
class SkimageWiener(Solver):
    """scikit-image: restoration.wiener, |y - k * x|^2 + balance_eff |Laplacian x|^2, circular on padded data."""

    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Orieux, Giovannelli & Rodet, J. Opt. Soc. Am. A 27, 2010; scikit-image"

    balance: float = tunable(200.0, low=1.0, high=1000.0)  #: balance_eff / noise variance
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"  #: of data that are not circular

    def __post_init__(self) -> None:
        if not self.balance > 0:
            raise SettingError(f"skimage_wiener: balance must be positive, got {self.balance}")

    def solve(self, problem: Problem) -> Tensor:
        """Each channel alone, not clipped."""
        y, sides = surround(problem, self.padding)
        return crop(by_plane(problem, self._plane, y), sides)

    def _plane(self, plane: Plane) -> np.ndarray:
        psf = impulse_response(plane.psf, plane.y.shape)
        return np.asarray(wiener(plane.y, psf, self.balance * plane.sigma**2, clip=False))
