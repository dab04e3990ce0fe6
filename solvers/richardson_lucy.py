"""Richardson-Lucy: maximum likelihood under Poisson noise, stopped early, or held back by total variation."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench import Problem, SettingError, Solver, tunable
from bench.methods.classical.differences import difference_adjoint, differences

# Pixels of the scene that reach the sensor with less than this share of their light keep their start value.
UNSEEN = 1e-3
POSITIVE = 1e-6
LARGEST_SHIFT = 0.1


@dataclass(frozen=True)
class RichardsonLucy(Solver):
    """Richardson-Lucy with exact boundaries, read noise as a shifted Poisson, and optional total variation."""

    #: iterations; stopping early is the regularisation; 0 returns the measurement
    steps: int = tunable(30, low=4, high=256, least=0)
    #: weight of TV (Dey et al. 2006), 0 for none; they recommend 0.002
    tv: float = 0.0

    reference: ClassVar[str] = "Richardson 1972, JOSA 62; Lucy 1974, AJ 79; Dey et al. 2006, Microsc. Res. Tech. 69"

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise SettingError(f"richardson_lucy: steps must be at least 0, got {self.steps}")
        if not 0 <= self.tv < 0.25:
            # Dey's denominator 1 - tv div(grad x / |grad x|) stays positive only then: |div| <= 4.
            raise SettingError(f"richardson_lucy: tv must be at least 0 and less than 0.25, got {self.tv}")

    def solve(self, problem: Problem) -> Tensor:
        """Iterates x <- x / (A^T 1 (1 + tv D^T(D x / |D x|))) * A^T((y + b) / (A x + b))."""
        if self.steps == 0:
            return problem.y
        blur = problem.blur
        b = shift(problem)
        y = (problem.y + b).clamp(min=0)
        reach = blur.A_adjoint(torch.ones_like(problem.y))
        seen = reach > UNSEEN
        mean = problem.y.mean((-2, -1), keepdim=True).clamp(min=POSITIVE)
        x = mean.expand(*problem.y.shape[:2], *blur.scene_shape)
        for _ in range(self.steps):
            ratio = y / (blur.A(x) + b).clamp(min=POSITIVE)
            # Off the sensor the penalty fades with the light, or it would rule there alone.
            weight = reach * (1 + self.tv * curvature(x, 4 * self.tv)) if self.tv else reach
            # A^T of non-negative numbers, so a negative value is rounding of the FFT.
            x = torch.where(seen, x * blur.A_adjoint(ratio).clamp(min=0) / weight.clamp(min=UNSEEN / 2), x)
        return blur.crop(x)


def shift(problem: Problem) -> Tensor:
    """The shift b = sigma^2 / gain (B, 1, 1, 1): y + b is nearly gain times a Poisson count (Snyder et al. 1995).

    Without photon noise there is no such count; b = 0 then, the plain algorithm. Where read noise dominates b is
    limited: the iteration slows down as x / (x + b) and would not leave its start.
    """
    gain, sigma = (level.view(-1, 1, 1, 1) for level in problem.noise)
    return torch.where(gain > 0, sigma**2 / gain.clamp(min=1e-30), 0).clamp(max=LARGEST_SHIFT)


def curvature(x: Tensor, flat: float) -> Tensor:
    """D^T(D x / |D x|), minus the divergence of the normalised gradient, |D x| rounded off below ``flat``.

    The update with weight tv is stable in flat regions of x <= 1 if 8 tv / flat <= 2, so flat = 4 tv; Dey's own
    iteration, unrounded, turns a flat region into a checkerboard of rounding errors.
    """
    d = differences(x, "neumann")
    length = (d[0].square() + d[1].square() + flat**2).sqrt()
    return difference_adjoint(d / length, "neumann")
