"""Returns the wrong number of samples."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class DicePair(Solver):
    """Always two samples, however many are asked for."""

    stochastic: ClassVar[bool] = True

    def solve(self, problem: Problem) -> Tensor:
        return problem.y + 0.1 * problem.randn(*problem.y.shape[1:])

    def samples(self, problem: Problem, n: int) -> Tensor:
        return problem.y.expand(2, *problem.y.shape)
