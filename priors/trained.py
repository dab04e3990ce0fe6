"""A network that `bench train` made."""

from dataclasses import dataclass

from bench import Prior, SettingError
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.tiled import Tiled
from bench.methods.networks.weights import load
from bench.plugins.weights import find_weights


@dataclass(frozen=True)
class Trained(Prior):
    """A diffusion network trained here, by the name of shipped weights or the path of a .safetensors file."""

    weights: str = "photos"  #: a shipped name (`bench list weights`) or a .safetensors file
    #: side in px of the overlapping tiles that larger pictures are taken in, to bound memory; None for whole pictures
    tile: int | None = None

    def __post_init__(self) -> None:
        if self.tile is not None and self.tile < 16:
            raise SettingError(f"trained: tile must be at least 16 px, got {self.tile}")

    def load(self) -> PriorModel:
        """Raises WeightsError when the file is missing, is not ours, or is not the one that its card describes."""
        model = load(find_weights(self.weights))
        return model if self.tile is None else Tiled(model, self.tile)
