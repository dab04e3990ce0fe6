"""Total variation by FISTA with an inner fast gradient projection, on the whole scene behind the sensor."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.differences import Edges
from bench.methods.classical.optim import data_step, fista, prox_tv, tv_weight


@dataclass(frozen=True)
class TVFista(Solver):
    """Total variation by FISTA with FGP inner steps: exact operator, no padding, optional bounds on pixels."""

    #: weight of TV over sigma^(3/2); TV is isotropic, each channel has its own gradient
    lam: float = tunable(1.2, low=0.08, high=5.0)
    #: outer iterations; noise below a grey level wants more
    steps: int = 200
    #: inner iterations of FGP; its dual field carries over from one outer iteration to the next
    inner: int = 2
    #: keep pixels in [0, 1]
    bounds: bool = False

    same_as: ClassVar = {"bounds": {False: "tv"}}
    reference: ClassVar[str] = "Beck & Teboulle 2009, IEEE TIP 18(11), FISTA and FGP"

    def __post_init__(self) -> None:
        if self.lam < 0:
            raise SettingError(f"tv_fista: lam must be at least 0, got {self.lam}")
        if self.steps < 1 or self.inner < 1:
            raise SettingError(f"tv_fista: steps and inner must be at least 1, got {self.steps} and {self.inner}")

    def solve(self, problem: Problem) -> Tensor:
        """min_x |A x - y|^2 / 2 + lam sigma^(3/2) TV(x), x the scene."""
        blur, y = problem.blur, problem.y
        edges: Edges = "periodic" if blur.boundary == "circular" else "neumann"
        step = data_step(blur.psf)
        tau = step * tv_weight(problem, self.lam)
        limits = (0.0, 1.0) if self.bounds else None
        dual: Tensor | None = None

        def gradient(x: Tensor) -> Tensor:
            return blur.A_adjoint(blur.A(x) - y)

        def prox(v: Tensor) -> Tensor:
            nonlocal dual
            u, dual = prox_tv(v, tau, self.inner, dual, edges, limits)
            return u

        a, b = blur.margin
        start = functional.pad(y, (b, b, a, a), mode="replicate") if a or b else y
        return blur.crop(fista(start, gradient, prox, step, self.steps))
