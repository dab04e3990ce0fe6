"""A prior that is easy to recognise."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser
from tiny_deblur.factors import HALF


class Constant(SigmaDenoiser):
    """The mean of images that have one value everywhere."""

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x.mean((-2, -1), keepdim=True).expand_as(x)


@dataclass(frozen=True)
class GrayWorld(Prior):
    """Images without any detail."""

    reference: ClassVar[str] = ""

    def load(self) -> PriorModel:
        """A denoiser of σ up to one half."""
        return Constant(0.0, HALF)
