"""Conditional diffusion: a denoiser trained with the measurement beside it, so that sampling needs no operator."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restore import load_conditional
from bench.methods.networks.sample import Plan, Sampler


@dataclass(frozen=True)
class ConditionalDM(Solver):
    """Conditional diffusion (study 001): samples of x given y from a network that sees [x_t, y]; blind, any size."""

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
    #: trained conditional model: a shipped name or a .safetensors file
    weights: str = "conditional_dm"

    blind: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Innocenti 2023 (study 001); Saharia et al. 2022, Palette"

    def __post_init__(self) -> None:
        if min(self.steps, self.average, self.batch) < 1:
            raise SettingError("conditional_dm: steps, average and batch must be at least 1")

    def solve(self, problem: Problem) -> Tensor:
        """x_T ~ N(0, I), then DDIM or DDPM with x̂_0(x_t, y, t); the mean of ``average`` samples."""
        model = load_conditional(self.weights, problem.y.dtype, str(problem.y.device))
        if model.predictor is not None:
            raise SettingError(f"conditional_dm: weights {self.weights!r} model a residual: use conditional_residual")
        eta = 1.0 if self.sampler == "ddpm" else 0.0
        plan = Plan(self.steps, eta, self.spacing, self.patch, self.overlap, self.batch, self.join)
        return Sampler(problem, model, plan).mean(self.average)
