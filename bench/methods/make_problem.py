"""From measurements (numpy) to the Problem (torch) that a solver gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.contracts import Cost, NoiseLevel
from bench.imaging.blur import Blur, Boundary
from bench.imaging.measure import Measurement
from bench.methods.problem import Problem

if TYPE_CHECKING:
    from bench.methods.diffusion.denoiser import Denoiser


@dataclass(frozen=True)
class Sensed:
    """One measurement without the truth, as ``bench.imaging.measure.Measurement`` has it.

    Attributes:
        y: float64 (C, H, W).
        psf: float64 (h, w), the one that the solver assumes.
        level: the true noise level.
        burst: float64 (N, C, H, W) or None.
    """

    y: np.ndarray
    psf: np.ndarray
    level: NoiseLevel
    burst: np.ndarray | None = None

    def mirrored(self) -> Sensed:
        """The same exposure turned by 180 degrees: as much work, and other numbers."""
        burst = None if self.burst is None else self.burst[..., ::-1, ::-1]
        return Sensed(self.y[:, ::-1, ::-1], self.psf[::-1, ::-1], self.level, burst)


def assemble(
    measurements: Sequence[Sensed | Measurement],
    rngs: Sequence[np.random.Generator],
    *,
    boundary: Boundary = "valid",
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    sigma_factor: float = 1.0,
    blind: bool = False,
    prior: Callable[[Cost], Denoiser] | None = None,
    cost: Cost | None = None,
) -> Problem:
    """Stack measurements into a Problem.

    Args:
        measurements: of equal image size and equal PSF size.
        rngs: one generator per measurement.
        sigma_factor: the noise standard deviation that the solver gets, over the true one.
        blind: hide PSF and noise level.
        prior: makes the denoiser that counts in a Cost, for solvers that need one.
        cost: where calls are counted; a new one by default.
    """

    def stacked(arrays: Sequence[object]) -> torch.Tensor:
        return torch.as_tensor(np.asarray(arrays), dtype=dtype, device=device).clone()

    y = stacked([m.y for m in measurements])
    bursts = [m.burst for m in measurements if m.burst is not None]
    burst = stacked(bursts) if bursts else None
    cost = cost or Cost()
    if blind:
        return Problem(y=y, blur=None, noise=None, rng=tuple(rngs), cost=cost, burst=burst)
    psf = stacked([m.psf for m in measurements])[:, None]
    gain = stacked([m.level.gain * sigma_factor**2 for m in measurements])
    sigma = stacked([m.level.sigma * sigma_factor for m in measurements])
    H, W = y.shape[-2:]
    return Problem(
        y=y,
        blur=Blur(psf, (H, W), boundary, cost),
        noise=NoiseLevel(gain, sigma),
        rng=tuple(rngs),
        cost=cost,
        prior=None if prior is None else prior(cost),
        burst=burst,
    )
