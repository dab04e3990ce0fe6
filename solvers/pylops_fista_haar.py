"""pylops' FISTA on Haar wavelet coefficients."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pylops.optimization.sparsity import fista
from pylops.signalprocessing import DWT2D
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.haar import levels_for
from bench.methods.libraries.planes import Plane, by_plane, pylops_blur


@dataclass(frozen=True)
class PylopsFistaHaar(Solver):
    """pylops: fista on DWT2D Haar coefficients c, min |A W^T c - y|^2 + eps_eff |c|_1, averages thresholded too."""

    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Ravasi & Vasconcelos, PyLops, SoftwareX 11, 2020; its tutorial on image deblurring"

    eps: float = tunable(4.4, low=0.2, high=20.0)  #: eps_eff over sigma^(3/2); twice the lam of haar_fista
    level: int = 3  #: of the transform, at most; fewer on small images
    niter: int = 100

    def __post_init__(self) -> None:
        if self.eps < 0 or self.level < 1 or self.niter < 1:
            raise SettingError(
                f"pylops_fista_haar: eps must be >= 0, level and niter >= 1, got eps={self.eps}, level={self.level}, "
                f"niter={self.niter}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """Each channel alone, on the scene, cropped to what the sensor sees."""
        return problem.blur.crop(by_plane(problem, self._plane))

    def _plane(self, plane: Plane) -> np.ndarray:
        scene = plane.blur.scene_shape
        W = DWT2D(scene, wavelet="haar", level=levels_for(scene, self.level))
        # alpha = 1 is a valid step because the PSF sums to one; pylops would estimate it by power iterations.
        A = pylops_blur(plane.blur) @ W.H
        c0 = np.asarray(W @ plane.start.ravel())
        c = fista(A, plane.y.ravel(), c0, niter=self.niter, eps=self.eps * plane.sigma**1.5, alpha=1.0)[0]
        return np.asarray(W.rmatvec(c)).reshape(scene)
