"""pylops' split Bregman with total variation and sparse Haar wavelets together."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pylops import FirstDerivative, LinearOperator
from pylops.signalprocessing import DWT2D
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.haar import levels_for
from bench.methods.libraries.planes import Plane, by_plane, pylops_split_bregman


@dataclass(frozen=True)
class PylopsTvHaar(Solver):
    """pylops: splitbregman with three regularisers, the differences down and across and the Haar coefficients.

    Study 002's TV + Haar, of which it names PyLops and no more: min |A x - y|^2 / 2 + lam (|D x|_1 + haar |W x|_1),
    anisotropic TV as in ``pylops_tv``, averages thresholded too as in ``pylops_fista_haar``. What PyLops reaches has
    lam = (eps sigma)^2 / mu.
    """

    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Goldstein & Osher, SIAM J. Imaging Sci. 2(2), 2009; PyLops, SoftwareX 11, 2020"

    eps: float = tunable(4.0, low=0.4, high=40.0)  #: epsRL1s of the differences / noise standard deviation
    haar: float = 0.2  #: weight of |W x|_1 relative to TV, as in tv_haar
    kind: Literal["forward", "centered"] = "forward"  #: difference of neighbours, or (x[i + 1] - x[i - 1]) / 2
    level: int = 3  #: of the transform, at most; fewer on small images
    mu: float = 1.5
    niter_outer: int = 10
    niter_inner: int = 5
    iter_lim: int = 5  #: LSQR iterations of an inner step

    def __post_init__(self) -> None:
        least = min(self.level, self.niter_outer, self.niter_inner, self.iter_lim)
        if not self.eps > 0 or not self.haar > 0 or not self.mu > 0 or least < 1:
            raise SettingError(
                f"pylops_tv_haar: eps, haar and mu must be positive, level and iterations at least 1, got {self}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """Each channel alone, on the scene, cropped to what the sensor sees."""
        return problem.blur.crop(by_plane(problem, self._plane))

    def _plane(self, plane: Plane) -> np.ndarray:
        scene = plane.blur.scene_shape
        D: list[LinearOperator] = [FirstDerivative(scene, axis=axis, edge=False, kind=self.kind) for axis in (0, 1)]
        W = DWT2D(scene, wavelet="haar", level=levels_for(scene, self.level))
        return pylops_split_bregman(
            plane,
            [*D, W],
            [self.eps, self.eps, self.haar**0.5 * self.eps],
            mu=self.mu,
            niter_outer=self.niter_outer,
            niter_inner=self.niter_inner,
            iter_lim=self.iter_lim,
        )
