"""Gradient descent on an l1-regularised least squares, its gradient left to autograd."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.optim import tv_weight
from bench.methods.classical.padding import pad


@dataclass(frozen=True)
class L1Autograd(Solver):
    """Gradient descent by autograd on J(u) = 1/2 |g - H u|^2 + lam |u|_1, at a fixed learning rate.

    J's smooth part has curvature |K(f)|^2 <= 1 at frequency f, so that after n steps of rate r a frequency is
    restored to 1 - (1 - r |K(f)|^2)^n: at r = 0.01, 1000 steps are worth 10 of the largest sensible rate, and what
    the blur left less than a tenth of is hardly restored. Stopping early regularises; lam does little for
    photographs, whose pixels are not sparse.
    """

    family: ClassVar[str] = "variational"
    reference: ClassVar[str] = "CEA study of X-ray scanner deblurring, MSGI week, Universite Cote d'Azur: its part C"

    lam: float = tunable(0.1, low=0.001, high=1.0)  #: weight of |u|_1 over sigma^(3/2)
    lr: float = 0.01  #: learning rate; below 2, beyond which gradient descent diverges
    steps: int = 1000

    def __post_init__(self) -> None:
        if self.lam < 0 or not 0 < self.lr < 2 or self.steps < 1:
            raise SettingError(
                f"l1_autograd: lam must be >= 0, 0 < lr < 2, steps >= 1, got lam={self.lam}, lr={self.lr}, "
                f"steps={self.steps}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """The scene's estimate after ``steps`` steps from g, its edges repeated, cropped to what the sensor sees."""
        blur, g = problem.blur, problem.y
        lam = tv_weight(problem, self.lam)

        def J(u: Tensor) -> Tensor:
            # Summed over pixels and images: each image's gradient is that of its own cost.
            return ((g - blur.A(u)) ** 2).sum() / 2 + (lam * u.abs()).sum()

        a, b = blur.margin
        u = pad(g, (b, b, a, a), "edge")
        for _ in range(self.steps):
            u = u.detach().requires_grad_()
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad(J(u), u)
            problem.cost.n_At += 1  # autograd applies H^T without Blur's noticing
            u = u - self.lr * gradient
        return blur.crop(u.detach())
