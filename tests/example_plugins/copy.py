"""Does nothing, at a settable brightness."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver, tunable


@dataclass(frozen=True)
class Copy(Solver):
    """The input times a factor; one is best."""

    family: ClassVar[str] = "reference"

    factor: float = tunable(1.0, low=0.5, high=2.0)

    def solve(self, problem: Problem) -> Tensor:
        return problem.y * self.factor
