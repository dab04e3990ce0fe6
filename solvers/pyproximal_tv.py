"""pyproximal's primal-dual total variation."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pylops import Gradient
from pyproximal import L2, L21
from pyproximal.optimization.primaldual import PrimalDual
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.libraries.planes import Plane, by_plane, pylops_blur


@dataclass(frozen=True)
class PyproximalTv(Solver):
    """pyproximal: PrimalDual with isotropic TV, the data term's prox by a few warm-started LSQR iterations."""

    family: ClassVar[str] = "library"
    same_as: ClassVar = "tv"
    reference: ClassVar[str] = "Chambolle & Pock, J. Math. Imaging Vis. 40, 2011, algorithm 1; PyProximal"

    lam: float = tunable(1.2, low=0.08, high=5.0)  #: weight of TV over sigma^(3/2), as in tv
    tau: float = 20.0  #: primal step; the dual one is 1 / (8 tau)
    niter: int = 100
    niter_lsqr: int = 5

    def __post_init__(self) -> None:
        if not self.lam > 0 or not self.tau > 0 or min(self.niter, self.niter_lsqr) < 1:
            raise SettingError(f"pyproximal_tv: lam and tau must be positive, iterations at least 1, got {self}")

    def solve(self, problem: Problem) -> Tensor:
        """Each channel alone, on the scene, cropped to what the sensor sees."""
        return problem.blur.crop(by_plane(problem, self._plane))

    def _plane(self, plane: Plane) -> np.ndarray:
        scene = plane.blur.scene_shape
        x0, tau = plane.start.ravel(), self.tau
        data = L2(Op=pylops_blur(plane.blur), b=plane.y.ravel(), niter=self.niter_lsqr, x0=x0, warm=True)
        tv = L21(ndim=2, sigma=self.lam * plane.sigma**1.5)
        D = Gradient(scene, sampling=1.0, edge=False, kind="forward")
        x = PrimalDual(data, tv, D, x0=x0, tau=tau, mu=1 / (8 * tau), theta=1.0, niter=self.niter)
        return np.asarray(x).reshape(scene)
