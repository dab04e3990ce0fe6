"""RED-Diff: variational inference with the diffusion prior as regulariser, by stochastic gradients."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.levels import Level, levels
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class RedDiff(Solver):
    """RED-Diff (Mardani et al. 2024): Adam on the data misfit plus a denoising regulariser; a point estimate."""

    #: steps of Adam, one network evaluation each
    steps: int = 1000
    #: weight of the prior, times 100 σ_y² (σ_y in [-1, 1] units): the published 0.25 presumes one noise level
    lam: float = tunable(1.0, low=0.25, high=4.0)
    #: step size of Adam
    lr: float = 0.02
    #: how the weight depends on σ_t: the paper's choices ("clip" is min(σ_t, 1))
    weighting: Literal["linear", "sqrt", "square", "log", "clip", "const"] = "linear"
    #: from what to begin: measurement, adjoint, Wiener estimate, or zero
    init: Literal["measurement", "adjoint", "wiener", "zero"] = "wiener"
    #: differentiate through the network, as a loss on |ε_θ - ε|² without a stop-gradient would
    through_network: bool = False

    stochastic: ClassVar[bool] = True
    point: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Mardani, Song, Kautz & Vahdat 2024, ICLR, Algorithm 1"

    def __post_init__(self) -> None:
        if self.lam < 0 or self.lr <= 0:
            raise SettingError(f"reddiff: lam must be at least 0 and lr positive, got {self.lam} and {self.lr}")

    def solve(self, problem: Problem) -> Tensor:
        """min_μ |y - A μ|²/2 + Σ_t w_t (sg[ε_θ(x_t) - ε])ᵀ μ, t descending; sums over the pixels of each image."""
        task = Task(problem, "mean")
        mu = self._begin(task).clone()
        # Sums, not means, and eps far below them: Adam's step must not depend on the size of image or batch.
        adam = _Adam(mu, self.lr, betas=(0.9, 0.99), eps=1e-12)
        lam = self.lam * 100 * task.sigma**2
        for now in levels(task.prior.schedule, "uniform", self.steps):
            regulariser = self._regulariser(task, mu, now, task.noise())
            adam.step(task.At(task.A(mu) - task.y) + lam * self._weight(now) * regulariser)
        return task.estimate(mu)

    def _regulariser(self, task: Task, mu: Tensor, now: Level, noise: Tensor) -> Tensor:
        """Its gradient: ε_θ(x_t) - ε, or, through the network, ∇_μ |ε_θ(x_t) - ε|²/2."""
        if not self.through_network:
            return self._epsilon(task, now.a * mu + now.s * noise, now) - noise
        with torch.enable_grad():
            mu = mu.detach().requires_grad_()
            loss = ((self._epsilon(task, now.a * mu + now.s * noise, now) - noise) ** 2).sum() / 2
            return torch.autograd.grad(loss, mu)[0]

    @staticmethod
    def _epsilon(task: Task, x: Tensor, now: Level) -> Tensor:
        return (x - now.a * task.x0(x, now)) / now.s

    def _weight(self, now: Level) -> float:
        s = now.sigma
        return {
            "linear": s,
            "sqrt": math.sqrt(s),
            "square": s**2,
            "log": math.log1p(s),
            "clip": min(s, 1.0),
            "const": 1.0,
        }[self.weighting]

    def _begin(self, task: Task) -> Tensor:
        if self.init == "wiener":
            return task.wiener()
        if self.init == "adjoint":
            return task.At(task.y)
        return task.extend(task.y if self.init == "measurement" else torch.zeros_like(task.y))


class _Adam:
    """Adam (Kingma & Ba 2015, Algorithm 1) on one tensor, in place.

    To the last bit that of torch.optim, whose first use imports torch's compiler: five seconds in every process.
    """

    def __init__(self, x: Tensor, lr: float, betas: tuple[float, float], eps: float):
        self.x, self.lr, self.betas, self.eps = x, lr, betas, eps
        self.m, self.v, self.t = torch.zeros_like(x), torch.zeros_like(x), 0

    def step(self, g: Tensor) -> None:
        """One step against the gradient g."""
        self.t += 1
        beta1, beta2 = self.betas
        self.m.lerp_(g, 1 - beta1)
        self.v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = (self.v.sqrt() / (1 - beta2**self.t) ** 0.5).add_(self.eps)
        self.x.addcdiv_(self.m, root, value=-self.lr / (1 - beta1**self.t))
