"""DDIM with one adjoint step on every estimate of x_0: what a Bologna study of CT calls DPS."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, Solver
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.step import ddim
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class AdjointDdim(Solver):
    """DDIM with a Landweber step γ_t Kᵀ(y - K x̂_0) per evaluation; no gradient through the network, so not DPS."""

    #: network evaluations
    steps: int = 100
    #: ε of the next x_t: the network's, or recomputed from the corrected x_0
    epsilon: Literal["kept", "recomputed"] = "recomputed"
    #: σ in [-1, 1] units at which to begin from the Wiener estimate; 0 begins from pure noise
    warm: float = 0.0

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "DPS vs RED-Diff for CT deblurring, University of Bologna: its data step and DDIM"

    def solve(self, problem: Problem) -> Tensor:
        """x_0 = x̂_0 + γ_t Kᵀ (y - K x̂_0), γ_t = (1 - ᾱ_t) / (σ_y² + 1 - ᾱ_t), then DDIM."""
        task = Task(problem, "mean")
        x, steps = begin(task, "uniform", self.steps, self.warm)
        for now, then in steps:
            x0_hat = task.x0(x, now)
            gamma = now.s**2 / (task.sigma**2 + now.s**2)
            x0 = x0_hat + gamma * task.At(task.y - task.A(x0_hat))
            if self.epsilon == "recomputed":
                x = ddim(x, x0, now, then)
            else:
                x = then.a * x0 + then.s * (x - now.a * x0_hat) / now.s
        return task.estimate(x)
