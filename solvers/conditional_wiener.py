"""Stochastic refinement of the Wiener filter: a conditional diffusion that knows the blur."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restore import load_conditional
from bench.methods.networks.sample import Sampler, validate


@dataclass(frozen=True)
class ConditionalWiener(Solver):
    """Wiener filter, corrected by a network, plus a sample of what both leave; PSF and noise enter by the filter."""

    #: network evaluations per sample; 1 gives the posterior mean in one evaluation
    steps: int = 20
    #: ddim: deterministic from its noise; ddpm: fresh noise at every step
    sampler: Literal["ddim", "ddpm"] = "ddim"
    #: noise levels: uniform or quadratic in the step, or uniform in log σ
    spacing: Literal["uniform", "quad", "logsnr"] = "logsnr"
    #: samples whose mean is returned
    average: int = 1
    #: side of a patch in px; None for the size that the weights were trained on
    patch: int | None = None
    #: px that neighbouring patches share at least; None for a quarter of the patch
    overlap: int | None = None
    #: average overlapping patches once, when they are sampled, or at every step
    join: Literal["end", "step"] = "end"
    #: patches per network evaluation
    batch: int = 16
    #: trained conditional model: a shipped name or a .safetensors file
    weights: str = "conditional_wiener"

    stochastic: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    weights_kind: ClassVar[str] = "conditional"
    reference: ClassVar[str] = "after Whang et al. 2022, CVPR, whose predictor is a network"

    def __post_init__(self) -> None:
        validate(self)

    def solve(self, problem: Problem) -> Tensor:
        """x = g(y, w) + r, w = wiener(y), r ~ p(r | y, w) by DDIM or DDPM; the mean of ``average`` samples."""
        model = load_conditional(self.weights, problem.y.dtype, str(problem.y.device))
        if not model.informed:
            raise SettingError(f"conditional_wiener: weights {self.weights!r} are blind: use conditional_dm")
        return Sampler(problem, model, self).estimate()
