"""Networks of guided-diffusion: the FFHQ-256 and ImageNet-256 weights that most papers sample from."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks.adm import config_of, network_of
from bench.methods.networks.predictions import NetworkPrior
from bench.methods.networks.state_dicts import read_state_dict


@dataclass(frozen=True)
class Adm(Prior):
    """ADM (guided-diffusion, DPS): a state dict whose shapes tell the network; ε, linear schedule of 1000 steps."""

    path: str  #: the weights: .pt of plain data, or .safetensors
    size: int = 256  #: side in px of the training images, which no shape tells; other sizes are noted in the row
    head_channels: int = 64  #: channels per head of attention, likewise
    attention_order: Literal["legacy", "new"] = "legacy"  #: "new" where trained with use_new_attention_order
    schedule: Literal["linear", "cosine"] = "linear"
    steps: int = 1000  #: of the training's schedule

    reference: ClassVar[str] = "Dhariwal & Nichol 2021, NeurIPS; weights: Choi et al. 2021 (FFHQ), OpenAI (ImageNet)"

    def load(self) -> PriorModel:
        """Raises WeightsError where the file is missing, holds code, is class-conditional or of another layout."""
        path = Path(self.path)
        state = read_state_dict(path)
        config = config_of(state, self.head_channels, self.attention_order == "legacy")
        return NetworkPrior(
            network_of(state, config, path),
            Schedule.make(self.schedule, self.steps),
            channels=config.image_channels,
            stride=config.stride,
            native_size=self.size,
        )
