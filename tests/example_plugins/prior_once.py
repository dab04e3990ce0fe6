"""Asks the prior once."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver
from bench.methods.diffusion.levels import at_sigma


@dataclass(frozen=True)
class PriorOnce(Solver):
    """E[x_0 | x_t] at the measurement, taken as noisy."""

    sigma: float = 0.1

    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"

    def solve(self, problem: Problem) -> Tensor:
        prior = problem.prior
        level = at_sigma(prior.schedule, self.sigma)
        return (prior.x0(level.a * (2 * problem.y - 1), level) + 1) / 2
