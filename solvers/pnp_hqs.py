"""Plug-and-play half-quadratic splitting with the diffusion prior as denoiser (DPIR's scheme)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class PnpHqs(Solver):
    """Plug-and-play half-quadratic splitting (DPIR) with the same network as the samplers; a point estimate."""

    #: network evaluations
    steps: int = 8
    #: weight of the prior in the data step, α_k = λ σ_y² / σ_k²; 1 is that of Bayes for a Gaussian prior
    lam: float = tunable(0.19, low=0.1, high=1.6)
    #: σ of the first denoising, in [-1, 1] units. DPIR's 49 grey levels, 0.38, presume little noise
    first: float = 1.0
    #: last σ of the denoiser over that of the measurement; below 1, since the data step leaves less noise
    last: float = 0.3
    #: noise variance of each pixel, or that of the mean intensity
    photons: Literal["pixel", "mean"] = "pixel"

    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Zhang, Li, Zuo, Zhang, Van Gool & Timofte 2021, TPAMI, Algorithm 1 (DPIR)"

    def __post_init__(self) -> None:
        for name in ("steps", "lam", "first", "last"):
            if getattr(self, name) <= 0:
                raise SettingError(f"pnp_hqs: {name} must be positive, got {getattr(self, name)}")

    def solve(self, problem: Problem) -> Tensor:
        """x_k = prox of the data at z_{k-1} (eq. 6a), z_k = denoiser of level σ_k at x_k (eq. 6b)."""
        task = Task(problem, self.photons)
        z, multiplier = task.wiener(), None
        last = [min(self.last * s, self.first) for s in task.sigma.flatten().tolist()]
        for k in range(self.steps):
            part = k / max(1, self.steps - 1)
            sigmas = [math.exp((1 - part) * math.log(self.first) + part * math.log(s)) for s in last]
            C = z.new_tensor([s**2 / self.lam for s in sigmas]).view(-1, 1, 1, 1)
            shift, multiplier = task.shift(task.y - task.A(z), C, multiplier)
            x = z + shift
            z = task.denoised(x, sigmas)
        return task.estimate(z)
