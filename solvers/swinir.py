"""SwinIR, a blind transformer that restores."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restore import restore


@dataclass(frozen=True)
class SwinIR(Solver):
    """SwinIR (Liang et al. 2021; study 002): attention in shifted windows, blind, one evaluation, any size."""

    #: side in px of the largest piece that the network sees at once; larger images are taken in patches
    patch: int = 128
    #: px that neighbouring patches share at least
    overlap: int = 32
    #: patches per network evaluation
    batch: int = 4
    #: trained restorer: a shipped name or a .safetensors file
    weights: str = "swinir"

    blind: ClassVar[bool] = True
    family: ClassVar[str] = "network"
    weights_kind: ClassVar[str] = "restorer"
    reference: ClassVar[str] = "Liang, Cao, Sun, Zhang, Van Gool & Timofte 2021, ICCV workshops"

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise SettingError(f"swinir: batch must be at least 1, got {self.batch}")

    def solve(self, problem: Problem) -> Tensor:
        """The network's correction of y, added to it."""
        return restore(problem, self.weights, "swinir", self.patch, self.overlap, self.batch)
