"""Networks of EDM: FFHQ 64 x 64 and CIFAR-10, DDPM++ and NCSN++."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.networks.edm import read_edm


@dataclass(frozen=True)
class Edm(Prior):
    """EDM's SongUNet: a state dict whose shapes tell the network; a denoiser of σ. Pickles are not opened."""

    path: str  #: the weights: .safetensors, or .pt of plain data
    preconditioning: Literal["edm", "vp", "ve"] = "edm"  #: that of the training; vp and ve are EDM's baselines

    reference: ClassVar[str] = "Karras, Aittala, Aila & Laine 2022, NeurIPS, equation 7 and Table 1"

    def load(self) -> PriorModel:
        """Raises WeightsError where the file is missing, a pickle, class-conditional or of another layout."""
        return read_edm(Path(self.path), self.preconditioning)
