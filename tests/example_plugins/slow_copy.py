"""A copy that takes its time."""

import time
from dataclasses import dataclass

from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class SlowCopy(Solver):
    """The input after a pause."""

    seconds: float = 0.05
    factor: float = 1.0

    def solve(self, problem: Problem) -> Tensor:
        time.sleep(self.seconds)
        return problem.y * self.factor
