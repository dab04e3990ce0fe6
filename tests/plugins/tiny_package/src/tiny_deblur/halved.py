"""A solver that is easy to recognise."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver
from tiny_deblur.factors import HALF


@dataclass(frozen=True)
class Halved(Solver):
    """The measurement at half its brightness."""

    blind: ClassVar[bool] = True
    family: ClassVar[str] = "reference"

    power: int = 1  #: halved so many times

    def solve(self, problem: Problem) -> Tensor:
        """y / 2^power."""
        return problem.y * HALF**self.power
