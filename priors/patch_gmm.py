"""Patches of photographs as a mixture of Gaussians: what a prior without a network reaches."""

from dataclasses import dataclass
from typing import ClassVar

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.networks.mixture_file import load_mixture
from bench.plugins.weights import find_weights


@dataclass(frozen=True)
class PatchGmm(Prior):
    """EPLL's prior: 8 x 8 patches ~ a mixture of Gaussians; denoises each patch exactly and averages overlaps."""

    weights: str = "patch_gmm"  #: a shipped name, or a .safetensors file that a recipe `kind: mixture` made

    reference: ClassVar[str] = "Zoran & Weiss 2011, ICCV, sections 3 and 5"

    def load(self) -> PriorModel:
        """Raises WeightsError when the file is missing, is not ours, or is not the one that its card describes."""
        return load_mixture(find_weights(self.weights))
