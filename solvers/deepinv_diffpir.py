"""deepinv's class DiffPIR with our prior, at its defaults."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from deepinv.optim import L2
from deepinv.sampling import DiffPIR
from torch import Tensor

from bench import NoiseLevel, Problem, Solver
from bench.methods.classical.optim import noise_variance
from bench.methods.diffusion.torus import on_torus
from bench.methods.libraries.deepinv_physics import BlurPhysics
from bench.methods.libraries.deepinv_prior import DeepinvPrior
from bench.methods.libraries.planes import alone, by_prior


@dataclass(frozen=True)
class DeepinvDiffpir(Solver):
    """deepinv's own DiffPIR at its defaults, given the noise's standard deviation; see diffpir for ours."""

    #: network evaluations; deepinv's default
    steps: int = 100
    #: deepinv's lambda_; in its units twice what the paper's means
    lam: float = 7.0
    zeta: float = 0.1
    #: how a ``valid`` measurement is extended to a periodic one
    padding: Literal["zero", "mean", "edge", "reflect", "blend"] = "blend"

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "library"
    reference: ClassVar[str] = "Tachella et al., DeepInverse, 2025: deepinv.sampling.DiffPIR"

    def solve(self, problem: Problem) -> Tensor:
        """Each image alone, each channel too if the prior is gray, on a torus."""
        periodic, crop = on_torus(problem, self.padding)
        return crop(by_prior(periodic, lambda i, c: self._one(alone(periodic, i), c)))

    def _one(self, one: Problem, channels: slice) -> Tensor:
        sigma, device = float(noise_variance(one).sqrt()), one.y.device
        # deepinv reads sigma alone and would miss the photon noise.
        level = NoiseLevel(one.y.new_zeros(1), one.y.new_tensor([sigma]))
        physics = BlurPhysics(one.blur, level)
        model = DiffPIR(
            DeepinvPrior(one.prior, one.y.dtype, device),
            L2(),
            sigma=sigma,
            max_iter=self.steps,
            zeta=self.zeta,
            lambda_=self.lam,
            device=str(device),
        )
        # It draws from torch's global generator, and takes seed 0 for no seed.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            return model(one.y[:, channels], physics, seed=1 + int(one.rng[0].integers(2**31)))
