"""pylops' split Bregman total variation."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pylops import FirstDerivative, LinearOperator
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.libraries.planes import Plane, by_plane, pylops_split_bregman


@dataclass(frozen=True)
class PylopsTv(Solver):
    """pylops: splitbregman with the derivatives down and across, anisotropic TV, after its deblurring tutorial.

    The tutorial leaves FirstDerivative at its default, the centred difference, which is zero on a chequerboard: such
    patterns then cost nothing. ``kind: centered`` is what the tutorial runs, ``forward`` what total variation means.
    """

    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Goldstein & Osher, SIAM J. Imaging Sci. 2(2), 2009; PyLops tutorial on deblurring"

    eps: float = tunable(4.0, low=0.4, high=40.0)  #: epsRL1s / noise standard deviation
    kind: Literal["forward", "centered"] = "forward"  #: difference of neighbours, or (x[i + 1] - x[i - 1]) / 2
    mu: float = 1.5
    niter_outer: int = 10
    niter_inner: int = 5
    iter_lim: int = 5  #: LSQR iterations of an inner step

    def __post_init__(self) -> None:
        if not self.eps > 0 or not self.mu > 0 or min(self.niter_outer, self.niter_inner, self.iter_lim) < 1:
            raise SettingError(f"pylops_tv: eps and mu must be positive, iterations at least 1, got {self}")

    def solve(self, problem: Problem) -> Tensor:
        """Each channel alone, on the scene, cropped to what the sensor sees."""
        return problem.blur.crop(by_plane(problem, self._plane))

    def _plane(self, plane: Plane) -> np.ndarray:
        scene = plane.blur.scene_shape
        D: list[LinearOperator] = [FirstDerivative(scene, axis=axis, edge=False, kind=self.kind) for axis in (0, 1)]
        return pylops_split_bregman(
            plane,
            D,
            [self.eps] * 2,
            mu=self.mu,
            niter_outer=self.niter_outer,
            niter_inner=self.niter_inner,
            iter_lim=self.iter_lim,
        )
