"""deepinv's class DPS with our prior, at its defaults."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from deepinv.sampling import DPS
from torch import Tensor

from bench import Problem, Solver
from bench.methods.libraries.deepinv_physics import BlurPhysics
from bench.methods.libraries.deepinv_prior import DeepinvPrior
from bench.methods.libraries.planes import alone, by_prior


@dataclass(frozen=True)
class DeepinvDps(Solver):
    """deepinv's own DPS at its defaults: its weight 1 leaves the data almost without influence; see dps for ours."""

    #: time steps; deepinv's default
    steps: int = 1000
    #: deepinv's weight of the data term, 1 by default; its documentation says "typically in the hundreds"
    weight: float = 1.0
    guidance: Literal["norm", "annealed"] = "norm"

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Tachella et al., DeepInverse, 2025: deepinv.sampling.DPS"

    def solve(self, problem: Problem) -> Tensor:
        """Each image alone, each channel too if the prior is gray; the scene is deepinv's unknown."""
        return by_prior(problem, lambda i, c: self._one(alone(problem, i, torch.float64), c, problem.y.dtype))

    def _one(self, one: Problem, channels: slice, dtype: torch.dtype) -> Tensor:
        blur = one.blur
        device = one.y.device
        rng = torch.Generator(device).manual_seed(int(one.rng[0].integers(2**62)))
        model = DPS(
            DeepinvPrior(one.prior, dtype, device),
            num_steps=self.steps,
            weight=self.weight,
            guidance=self.guidance,
            device=device,
            rng=rng,
        )
        y = one.y[:, channels]
        x = model(y, BlurPhysics(blur, one.noise), x_init=(1, y.shape[1], *blur.scene_shape))
        return blur.crop(x)
