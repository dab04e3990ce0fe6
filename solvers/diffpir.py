"""DiffPIR: half-quadratic splitting along the reverse diffusion."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.step import renoise
from bench.methods.diffusion.task import Task


@dataclass(frozen=True)
class DiffPIR(Solver):
    """DiffPIR (Zhu et al. 2023), all quantities in [-1, 1] units: the published lambda = 7 is 1.75 here."""

    #: network evaluations
    steps: int = 100
    #: weight of the prior in the data step, ρ_t = λ σ_y² / σ_t²
    lam: float = tunable(1.75, low=0.4375, high=7.0)
    #: share of fresh noise in each step
    zeta: float = 0.3
    #: noise levels: those of the released code, or uniform in √t, in t, or in log σ
    spacing: Literal["diffpir", "quad", "uniform", "logsnr"] = "diffpir"
    #: σ in [-1, 1] units at which to begin from the Wiener estimate; 0 begins from pure noise
    warm: float = 0.0
    #: noise variance of each pixel, or that of the mean intensity
    photons: Literal["pixel", "mean"] = "mean"

    stochastic: ClassVar[bool] = True
    needs_prior: ClassVar[bool] = True
    family: ClassVar[str] = "diffusion"
    reference: ClassVar[str] = "Zhu, Zhang, Liang, Cao, Wen, Timofte & Van Gool 2023, CVPRW, Algorithm 1"

    def __post_init__(self) -> None:
        if self.lam <= 0 or not 0 <= self.zeta <= 1:
            raise SettingError(f"diffpir: lam must be positive and zeta in [0, 1], got {self.lam} and {self.zeta}")

    def solve(self, problem: Problem) -> Tensor:
        """Algorithm 1, from pure noise unless ``warm``."""
        task = Task(problem, self.photons)
        x, steps = begin(task, self.spacing, self.steps, self.warm)
        multiplier = None
        for now, then in steps:
            x0 = task.x0(x, now)
            # argmin |y - A x|² / (2 σ_y²) + λ |x - x0|² / (2 σ_t²)
            C = x0.new_full((), now.sigma**2 / self.lam)
            shift, multiplier = task.shift(task.y - task.A(x0), C, multiplier)
            x0 = x0 + shift
            x = renoise(x, x0, now, then, self.zeta, task.noise())
        return task.estimate(x)
