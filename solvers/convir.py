"""ConvIR, a blind convolutional restorer."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, SettingError, Solver
from bench.methods.networks.restore import restore


@dataclass(frozen=True)
class ConvIR(Solver):
    """ConvIR (Cui et al. 2024; study 004 without its multi-scale module): blind, one network evaluation, any size."""

    #: side in px of the largest piece that the network sees at once; larger images are taken in patches
    patch: int = 256
    #: px that neighbouring patches share at least
    overlap: int = 32
    #: patches per network evaluation
    batch: int = 4
    #: trained restorer: a shipped name or a .safetensors file
    weights: str = "convir"

    blind: ClassVar[bool] = True
    family: ClassVar[str] = "network"
    weights_kind: ClassVar[str] = "restorer"
    reference: ClassVar[str] = "Cui, Ren, Cao & Knoll 2024, TPAMI 46(12)"

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise SettingError(f"convir: batch must be at least 1, got {self.batch}")

    def solve(self, problem: Problem) -> Tensor:
        """The finest of the network's three outputs."""
        return restore(problem, self.weights, "convir", self.patch, self.overlap, self.batch)
