"""The measurement itself: the row that every gain is measured from."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class Blurred(Solver):
    """The blurred and noisy input, untouched."""

    blind: ClassVar[bool] = True
    family: ClassVar[str] = "reference"

    def solve(self, problem: Problem) -> Tensor:
        """Return y."""
        return problem.y
