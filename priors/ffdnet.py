"""FFDNet, a small denoiser of gray or colour photographs."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.networks.ffdnet import installed_file, read_ffdnet


@dataclass(frozen=True)
class Ffdnet(Prior):
    """FFDNet with the weights of the installed package ffdnet (extra `ffdnet`); a denoiser of σ up to 75 / 255."""

    colour: Literal["gray", "rgb"] = "gray"  #: which of the package's two networks
    path: str = ""  #: a weights file of the same layout, in place of the package's

    reference: ClassVar[str] = "Zhang, Zuo & Zhang 2018, TIP 27(9); weights: Tassano, Delon & Veit 2019, IPOL 9"

    def load(self) -> PriorModel:
        """Raises WeightsError where neither package nor file is there."""
        return read_ffdnet(Path(self.path) if self.path else installed_file(f"ffdnet_weights_{self.colour}.pth"))
