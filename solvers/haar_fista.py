"""Sparse Haar wavelet details by FISTA."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.haar import extend, levels_for, padded_shape, prox_details, prox_details_spun
from bench.methods.classical.optim import data_step, fista, tv_weight
from bench.methods.classical.padding import pad


@dataclass(frozen=True)
class HaarFista(Solver):
    """L1 of Haar wavelet details by FISTA, with cycle spinning unless switched off; averages are left free."""

    family: ClassVar[str] = "variational"
    same_as: ClassVar = {"cycle_spinning": {False: "haar"}}
    reference: ClassVar[str] = (
        "Beck & Teboulle, SIAM J. Imaging Sci. 2(1), 2009, sec. 4-5; cycle spinning: Coifman & Donoho 1995"
    )

    lam: float = tunable(2.2, low=0.1, high=10.0)  #: weight of |W x|_1 over sigma^(3/2)
    levels: int = 3  #: of the transform, at most; fewer on small images
    steps: int = 100
    cycle_spinning: bool = True  #: average the prox over all shifts of W: no blocks

    def __post_init__(self) -> None:
        if self.lam < 0 or self.levels < 1 or self.steps < 1:
            raise SettingError(
                f"haar_fista: lam must be >= 0, levels and steps >= 1, got lam={self.lam}, levels={self.levels}, "
                f"steps={self.steps}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """min_x |A x - y|^2 / 2 + lam sigma^(3/2) |W x|_1, W x the details of the scene x."""
        blur, y = problem.blur, problem.y
        H, W = scene = blur.scene_shape
        levels = levels_for(scene, self.levels)
        # Pixels beyond the scene make its sides divisible by 2^levels: A does not see them, so nothing is invented.
        shape = padded_shape(scene, levels)
        step = data_step(blur.psf)
        threshold = step * tv_weight(problem, self.lam)

        def gradient(x: Tensor) -> Tensor:
            return extend(blur.A_adjoint(blur.A(x[..., :H, :W]) - y), shape)

        a, b = blur.margin
        prox = prox_details_spun if self.cycle_spinning else prox_details
        start = pad(y, (b, shape[1] - y.shape[-1] - b, a, shape[0] - y.shape[-2] - a), "edge")
        x = fista(start, gradient, lambda v: prox(v, threshold, levels), step, self.steps)
        return blur.crop(x[..., :H, :W])
