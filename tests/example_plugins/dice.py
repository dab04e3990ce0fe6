"""Adds its own noise."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class Dice(Solver):
    """The input with noise from the solver's own generator."""

    stochastic: ClassVar[bool] = True

    def solve(self, problem: Problem) -> Tensor:
        return problem.y + 0.01 * problem.randn(*problem.y.shape[1:])
