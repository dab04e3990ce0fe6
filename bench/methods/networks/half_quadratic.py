"""The data step of half-quadratic splitting, differentiable, for pictures of which the sensor saw a part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from bench.contracts import Cost
from bench.imaging.blur import convolve, otf
from bench.methods.classical.conjugate_gradients import conjugate_gradients
from bench.methods.classical.optim import pixel_variance
from bench.methods.classical.spectra import VARIANCE_FLOOR
from bench.methods.problem import Problem

#: Of conjugate gradients. At 1e-2 pictures without noise lose 2 dB, others 0.03; at 1e-4 none gains 0.01.
TOLERANCE = 1e-3
#: For the gradients of a training, which are noisy anyway, over that.
LOOSENED = 20.0


@dataclass(frozen=True)
class Seen:
    """y = M K x + n on a periodic canvas that holds the scene: K blurs, M keeps what the sensor saw.

    Nothing is assumed about what lies outside the sensor. On circular data M keeps everything. All in [-1, 1] units.

    Attributes:
        y: measurements (n, c, H, W), zero where M is zero.
        mask: M, (n, 1, H, W) of zeros and ones.
        K: transfer functions (n, 1, H, W // 2 + 1).
        variance: of the noise, positive, (n, c, H, W) or (n, 1, 1, 1).
        cost: where applications of the operator are counted.
        tolerance: of conjugate gradients, the residual relative to the right-hand side.
        most: iterations at most.
    """

    y: Tensor
    mask: Tensor
    K: Tensor
    variance: Tensor
    cost: Cost = field(default_factory=Cost)
    tolerance: float = TOLERANCE
    most: int = 60

    @classmethod
    def of(cls, problem: Problem, stride: int = 1) -> Seen:
        """What a problem shows, its colours apart, on the smallest canvas whose sides are multiples of ``stride``.

        On circular data the canvas is the picture, whatever the stride.
        """
        blur, C = problem.blur, problem.y.shape[1]
        (a, b), (H, W) = blur.margin, blur.shape
        bottom, right = (0 if blur.boundary == "circular" else -n % stride for n in blur.scene_shape)
        sides = b, b + right, a, a + bottom
        y = functional.pad(2 * problem.y.reshape(-1, 1, H, W) - 1, sides)
        variance = (4 * pixel_variance(problem)).clamp(min=4 * VARIANCE_FLOOR)
        if variance.shape[1] == C and variance.shape[-1] == W:
            variance = functional.pad(variance.reshape(-1, 1, H, W), sides, value=1.0)
        else:
            variance = variance.repeat_interleave(C, 0)
        mask = functional.pad(torch.ones_like(y[..., a : a + H, b : b + W]), sides)
        psf = blur.psf.repeat_interleave(C, 0)
        return cls(y, mask, otf(psf, (y.shape[-2], y.shape[-1])), variance, problem.cost)

    @cached_property
    def whole(self) -> bool:
        """Whether the sensor saw the whole canvas with the same noise everywhere: then FFTs solve the data step."""
        return self.variance.shape[-2:] == (1, 1) and bool((self.mask == 1).all())

    @cached_property
    def mean_variance(self) -> Tensor:
        """Of the noise on the sensor, (n, 1, 1, 1)."""
        if self.variance.shape[-2:] == (1, 1):
            return self.variance
        return self.averaged(self.variance)

    def averaged(self, x: Tensor) -> Tensor:
        """The mean over the sensor's pixels and channels, (n, 1, 1, 1): picture by picture, whatever the batch."""
        pairs = zip(x, self.mask.expand_as(x), strict=True)
        return torch.stack([(v * m).sum() / m.sum() for v, m in pairs]).view(-1, 1, 1, 1)

    def residual(self, x: Tensor) -> Tensor:
        """y - M K x, zero outside the sensor."""
        self.cost.n_A += 1
        return self.y - self.mask * convolve(x, self.K)

    def shift(self, r: Tensor, C: Tensor, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """C Kᵀ M λ with (M K C Kᵀ M + Σ) λ = r, differentiable in r and C.

        For r = y - M K z it leads from z to argmin ‖y - M K x‖²_{Σ⁻¹} / 2 + ‖x - z‖²_{C⁻¹} / 2, the data step.

        Args:
            r: residuals (n, c, H, W), zero outside the sensor.
            C: power spectra of the covariance (n, 1, H, W // 2 + 1).
            start: λ of a similar system.

        Returns:
            The shift and λ, both (n, c, H, W).
        """
        self.cost.n_At += 1
        with torch.autocast(r.device.type, enabled=False):
            multiplier = self._solve(r, C, start)
            return convolve(multiplier, self.K.conj() * C), multiplier

    def _solve(self, r: Tensor, C: Tensor, start: Tensor | None) -> Tensor:
        power = C * self.K.abs().square()
        inverse = 1 / (power.detach() + self.mean_variance)
        if self.whole:
            return convolve(r, 1 / (power + self.variance))

        def system(v: Tensor) -> Tensor:
            self.cost.n_A += 1
            self.cost.n_At += 1
            return self.mask * convolve(v, power) + self.variance * v

        def precondition(v: Tensor) -> Tensor:
            return self.mask * convolve(v, inverse)

        def solved(b: Tensor, guess: Tensor | None = None, loosened: float = 1.0) -> Tensor:
            with torch.no_grad():
                tolerance = loosened * self.tolerance
                return conjugate_gradients(system, b, precondition, guess, tolerance=tolerance, most=self.most)

        multiplier = solved(r.detach(), start)
        if not (torch.is_grad_enabled() and (r.requires_grad or C.requires_grad)):
            return multiplier
        # λ(r, C) solves S_C λ = r, so dλ = S⁻¹ (dr - dS λ): the derivative of the residual, through S⁻¹ once more.
        # No iteration is recorded, and the gradient does not depend on how many there were.
        residual = r - system(multiplier)
        residual.register_hook(lambda g: solved(self.mask * g, loosened=LOOSENED))
        return multiplier + residual - residual.detach()
