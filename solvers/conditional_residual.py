"""Deblurring via stochastic refinement: a predictor, and a conditional diffusion of what it leaves."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restore import load_conditional
from bench.methods.networks.sample import Plan, Sampler


@dataclass(frozen=True)
class ConditionalResidual(Solver):
    """Stochastic refinement (Whang et al. 2022): predictor g(y) plus a sample of the residual x - g(y); blind."""

    #: network evaluations per sample, besides the predictor's
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
    #: trained model with a predictor: a shipped name or a .safetensors file
    weights: str = "conditional_residual"

    blind: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Whang, Delbracio, Talebi, Saharia, Dimakis & Milanfar 2022, CVPR"

    def __post_init__(self) -> None:
        if min(self.steps, self.average, self.batch) < 1:
            raise SettingError("conditional_residual: steps, average and batch must be at least 1")

    def solve(self, problem: Problem) -> Tensor:
        """x = g(y) + r, r ~ p(r | y, g(y)) by DDIM or DDPM; the mean of ``average`` samples."""
        model = load_conditional(self.weights, problem.y.dtype, str(problem.y.device))
        if model.predictor is None:
            raise SettingError(
                f"conditional_residual: weights {self.weights!r} have no predictor: use conditional_dm"
            )
        eta = 1.0 if self.sampler == "ddpm" else 0.0
        plan = Plan(self.steps, eta, self.spacing, self.patch, self.overlap, self.batch, self.join)
        return Sampler(problem, model, plan).mean(self.average)
