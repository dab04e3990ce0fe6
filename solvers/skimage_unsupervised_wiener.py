"""scikit-image's Wiener-Hunt deconvolution that estimates its own regularisation."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from skimage.restoration import unsupervised_wiener
from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.classical.padding import crop, surround
from bench.methods.libraries.planes import Plane, by_plane, impulse_response


@dataclass(frozen=True)
class SkimageUnsupervisedWiener(Solver):
    """scikit-image: restoration.unsupervised_wiener, Gibbs sampling of image, noise and prior precision."""

    stochastic: ClassVar[bool] = True
    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Orieux, Giovannelli & Rodet, J. Opt. Soc. Am. A 27, 2010, eq. (27)-(44); scikit-image"

    threshold: float = 1e-4  #: relative change of the running mean at which a chain stops
    burnin: int = 15
    min_num_iter: int = 30
    max_num_iter: int = 200
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"  #: of data that are not circular

    def __post_init__(self) -> None:
        if not 0 <= self.burnin < self.min_num_iter - 1 <= self.max_num_iter - 1:
            raise SettingError(
                "skimage_unsupervised_wiener: 0 <= burnin < min_num_iter - 1 and min_num_iter <= max_num_iter, got "
                f"burnin={self.burnin}, min_num_iter={self.min_num_iter}, max_num_iter={self.max_num_iter}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """The posterior mean of each channel alone, not clipped. Ignores the noise level that it gets."""
        y, sides = surround(problem, self.padding)
        return crop(by_plane(problem, self._plane, y), sides)

    def _plane(self, plane: Plane) -> np.ndarray:
        chain = {
            "threshold": self.threshold,
            "burnin": self.burnin,
            "min_num_iter": self.min_num_iter,
            "max_num_iter": self.max_num_iter,
        }
        psf = impulse_response(plane.psf, plane.y.shape)
        x, _ = unsupervised_wiener(plane.y, psf, user_params=chain, clip=False, rng=plane.rng)
        return np.asarray(x)
