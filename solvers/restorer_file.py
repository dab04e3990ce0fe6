"""A published restorer, from its file of weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restorer_files import restore_with


@dataclass(frozen=True)
class RestorerFile(Solver):
    """Any restorer that spandrel knows by its weights (NAFNet, SwinIR, FFTformer, ...): blind, one evaluation."""

    #: weights: .safetensors, or a torch file of plain data
    path: str
    #: side in px of the largest piece that the network sees at once; larger images are taken in patches
    patch: int = 512
    #: px that neighbouring patches share at least
    overlap: int = 64
    #: patches per network evaluation
    batch: int = 4

    blind: ClassVar[bool] = True
    family: ClassVar[str] = "network"
    reference: ClassVar[str] = "that of the weights; architectures by the package spandrel (MIT)"

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise SettingError(f"restorer_file: batch must be at least 1, got {self.batch}")

    def solve(self, problem: Problem) -> Tensor:
        """What the network returns for y, in [0, 1]."""
        return restore_with(problem, Path(self.path), self.patch, self.overlap, self.batch)
