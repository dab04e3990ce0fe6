"""Exact samples of the Gaussian posterior: what a prior of nothing but a power spectrum is worth."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.gaussian import GaussianModel


@dataclass(frozen=True)
class GaussianPosterior(Solver):
    """Samples of x given y for a Gaussian x of known power spectrum, by perturb-and-solve; unknown boundary.

    Their mean is ``wiener`` with ``boundary: unknown``. A trained sampler whose CRPS or coverage is worse than this
    one's has learnt less about pictures than their spectrum.
    """

    #: power spectrum of the image: white, 1 / |f|^4 (Laplacian) or 1 / |f|^2.5 (photographs)
    prior: Literal["flat", "laplacian", "spectrum"] = "spectrum"
    #: multiplies the prior's variance, which is fitted to each image
    scale: float = tunable(1.0, low=0.1, high=10.0)

    stochastic: ClassVar[bool] = True
    family: ClassVar[str] = "filter"
    reference: ClassVar[str] = "Papandreou & Yuille 2010, NeurIPS, Gaussian sampling by local perturbations"

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise SettingError(f"gaussian_posterior: scale must be positive, got {self.scale}")

    def solve(self, problem: Problem) -> Tensor:
        """x + C Aᵀ (A C Aᵀ + σ²)⁻¹ (y - A x - n), x ~ N(m, C) and n ~ N(0, σ²) drawn anew."""
        return GaussianModel.fitted(problem, self.prior, scale=self.scale).draw()
