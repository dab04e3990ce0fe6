"""Denoisers that are asked for a noise level σ and know of no schedule, as priors of the samplers."""

from __future__ import annotations

from torch import Tensor

from bench.errors import SettingError
from bench.methods.diffusion.denoiser import ModelBase
from bench.methods.diffusion.schedule import Schedule


class SigmaDenoiser(ModelBase):
    """D(x, σ) = E[x_0 | x_0 + σ n], presented under the levels of the linear schedule that it knows.

    x_t / a_t carries noise of standard deviation σ_t, so that E[x_0 | x_t] = D(x_t / a_t, σ_t). Nothing is asked of D
    outside its range: samplers begin at the highest level within it, from the Wiener estimate with that noise added
    (``bench.methods.diffusion.start``), end at the lowest, and what asks for a level beyond is given the end.

    Args:
        low, high: range of σ in [-1, 1] units, both ends included: 0.588 for a network trained up to 75 of 255.
        channels, stride, native_size: see ``PriorModel``.

    Raises SettingError for a range without two levels (the schedule's reach from σ = 0.01 to 157).
    """

    def __init__(
        self, low: float, high: float, *, channels: int = 1, stride: int = 1, native_size: int | None = None
    ) -> None:
        if not 0 <= low < high:
            raise SettingError(f"a denoiser's σ must range from 0 or more to more than that, got {low:g} to {high:g}")
        self.schedule = Schedule.make("linear").between(low, high)
        self.channels, self.stride, self.native_size = channels, stride, native_size

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x_0 | x = x_0 + σ n], (B, channels, H, W) in [-1, 1] units; sigma (B,) in the same, of the dtype of x."""
        raise NotImplementedError

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t] = D(x_t / a_t, σ_t)."""
        sigma = self.schedule.sigma(t)
        a, _ = self.schedule.scales(t)
        return self.denoise(x / a.to(x.dtype).view(-1, 1, 1, 1), sigma.to(x.dtype))
