"""No blur: denoising, and the limit of every blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench import Exposed, Operator
from bench.imaging.psf import require_exposure


@dataclass(frozen=True)
class Identity(Operator):
    """No blur at all: what remains is pure denoising."""

    T: float = 1.0  #: exposure in (0, 1]: less light, more noise

    def __post_init__(self) -> None:
        require_exposure(self.T)

    def psf(self, rng: np.random.Generator) -> Exposed:  # noqa: ARG002  the kernel is not random
        """One pixel of weight 1."""
        return Exposed(np.ones((1, 1)), self.T)
