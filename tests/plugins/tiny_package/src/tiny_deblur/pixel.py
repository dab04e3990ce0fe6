"""An operator of one pixel."""

from dataclasses import dataclass

import numpy as np

from bench import Exposed, Operator


@dataclass(frozen=True)
class Pixel(Operator):
    """No blur at all."""

    T: float = 1.0  #: exposure in (0, 1]

    def psf(self, rng: np.random.Generator) -> Exposed:
        """A single one."""
        return Exposed(np.ones((1, 1)), self.T)
