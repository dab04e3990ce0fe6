"""The Wiener filter: the best linear estimate when image and noise have known power spectra."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.gaussian import GaussianModel, canvas
from bench.methods.classical.spectra import inverse_prior
from bench.methods.classical.wiener import wiener


@dataclass(frozen=True)
class Wiener(Solver):
    """Wiener filter with a flat, Laplacian or power-law prior spectrum scaled to each image; padded by default."""

    #: power spectrum expected of the image: white, 1 / |f|^4 (Laplacian) or 1 / |f|^2.5 (photographs)
    prior: Literal["flat", "laplacian", "spectrum"] = "spectrum"
    #: multiplies the noise variance; 1 is the posterior mean under prior and noise level
    balance: float = tunable(1.0, low=0.1, high=100.0)
    #: s of the prior spectrum s / P, P of ``prior`` on the [0, 1] scale; null: the likeliest one for each image
    scale: float | None = None
    #: how a ``valid`` measurement is extended to a periodic one
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"
    #: of a ``valid`` measurement: padded and taken for periodic, or left unknown and solved by conjugate gradients
    boundary: Literal["padded", "unknown"] = "padded"

    family: ClassVar[str] = "filter"
    reference: ClassVar[str] = "Wiener 1949, Extrapolation, Interpolation, and Smoothing of Stationary Time Series"

    def __post_init__(self) -> None:
        if self.balance < 0:
            raise SettingError(f"wiener: balance must be at least 0, got {self.balance}")
        if self.boundary == "unknown" and self.balance == 0:
            raise SettingError("wiener: balance must be positive with boundary: unknown")
        if self.scale is not None and not self.scale > 0:
            raise SettingError(f"wiener: scale must be positive, or null to fit it, got {self.scale}")

    def solve(self, problem: Problem) -> Tensor:
        """G = S conj(K) / (S |K|^2 + balance sigma^2) for a prior spectrum S = s / P."""
        if self.boundary == "unknown":
            if self.scale is None:
                return GaussianModel.fitted(problem, self.prior, self.balance).mean()
            P = inverse_prior(self.prior, canvas(problem)[1], like=problem.y)
            return GaussianModel(problem, P / self.scale, self.balance).mean()
        return wiener(problem, self.prior, self.balance, self.padding, self.scale)
