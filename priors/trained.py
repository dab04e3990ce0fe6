"""A network that `bench train` made."""

from dataclasses import dataclass

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.networks.weights import load
from bench.plugins.weights import find_weights


@dataclass(frozen=True)
class Trained(Prior):
    """A diffusion network trained here, by the name of shipped weights or the path of a .safetensors file."""

    weights: str = "photos"  #: a shipped name (`bench list weights`) or a .safetensors file

    def load(self) -> PriorModel:
        """Raises WeightsError when the file is missing, is not ours, or is not the one that its card describes."""
        return load(find_weights(self.weights))
