"""Any denoiser of deepinv, or of the user's own, as a prior."""

from dataclasses import dataclass
from typing import ClassVar

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.libraries.deepinv_denoisers import denoiser_prior


@dataclass(frozen=True)
class DeepinvDenoiser(Prior):
    """A denoiser of σ by class and weights: DRUNet, GSDRUNet, FFDNet, Restormer, NCSNpp ... or one of your own."""

    imports: ClassVar[tuple[str, ...]] = ("model",)

    model: str = "DRUNet"  #: a class of deepinv.models, or package.module.Class called as model(x, σ) in [0, 1] units
    path: str = ""  #: its weights: .safetensors, or a torch file of plain data
    channels: int = 3  #: of images, 1 or 3
    options: dict[str, float | int | str | bool] | None = None  #: keywords of the class
    low: float | None = None  #: lowest σ that samplers may use, in [-1, 1] units; 0 by default
    high: float | None = None  #: highest; by default that of the training, where it was published

    reference: ClassVar[str] = "that of the network; Tachella et al., DeepInverse, 2025"

    def load(self) -> PriorModel:
        """Raises PluginError, SettingError or WeightsError where there is no such model, range of σ or file."""
        return denoiser_prior(self.model, self.path, self.channels, self.options, self.low, self.high)
