"""Unrolled half-quadratic splitting: a few data steps and denoisings, trained end to end."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver
from bench.methods.networks.restore import unroll


@dataclass(frozen=True)
class Unrolled(Solver):
    """Half-quadratic splitting with a learned denoiser, unrolled and trained end to end; unknown boundary."""

    #: trained solver: a shipped name or a .safetensors file
    weights: str = "unrolled"

    family: ClassVar[str] = "network"
    weights_kind: ClassVar[str] = "unrolled"
    reference: ClassVar[str] = "after Zhang, Van Gool & Timofte 2020, CVPR, eqs. 6-8 (USRNet)"

    def solve(self, problem: Problem) -> Tensor:
        """z_K of x_k = prox of the data at z_{k-1}, z_k = denoiser at x_k; each colour is restored apart."""
        return unroll(problem, self.weights)
