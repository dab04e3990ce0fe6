"""Unconditional pixel models that diffusers saved."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.networks.diffusers_folder import read_folder


@dataclass(frozen=True)
class Diffusers(Prior):
    """A folder with a UNet2DModel and its scheduler, a pipeline's or a flat one; all is read from its files."""

    path: str  #: the folder

    reference: ClassVar[str] = "that of the weights; network and schedules by diffusers"

    def load(self) -> PriorModel:
        """Raises WeightsError where a configuration has fields that diffusers does not know, or is no such folder."""
        return read_folder(Path(self.path))
