"""Conditional diffusion: a denoiser trained with the measurement beside it, so that sampling needs no operator.

Weights with a predictor (``conditional_residual``) are stochastic refinement: the estimate is g(y) + r, and
r = x - g(y) is what is sampled.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restore import load_conditional
from bench.methods.networks.sample import Sampler, validate


@dataclass(frozen=True)
class ConditionalDM(Solver):
    """Conditional diffusion (study 001): samples of x given y, or of what a predictor leaves; blind."""

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
    #: average overlapping patches once, when they are sampled (as study 001 does), or at every step
    join: Literal["end", "step"] = "end"
    #: patches per network evaluation
    batch: int = 16
    #: conditional_dm, conditional_residual (with a predictor), or a .safetensors file
    weights: str = "conditional_dm"

    blind: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    weights_kind: ClassVar[str] = "conditional"
    reference: ClassVar[str] = "Innocenti 2023 (study 001); Saharia et al. 2022, Palette; Whang et al. 2022, CVPR"

    def __post_init__(self) -> None:
        validate(self)

    def solve(self, problem: Problem) -> Tensor:
        """u_T ~ N(0, I), then DDIM or DDPM with û_0(u_t, y, t), where u is x or x - g(y); the mean of samples."""
        model = load_conditional(self.weights, problem.y.dtype, str(problem.y.device))
        if model.informed:
            raise SettingError(f"conditional_dm: weights {self.weights!r} see the PSF: use conditional_wiener")
        return Sampler(problem, model, self).estimate()
