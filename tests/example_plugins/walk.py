"""A random walk on the pixel grid, cut by the exposure."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench import Exposed, Operator


@dataclass(frozen=True)
class Walk(Operator):
    """A random walk of ten steps within 7 x 7 pixels."""

    random: ClassVar[bool] = True
    shared: ClassVar[tuple[str, ...]] = ("T",)

    T: float = 1.0

    def psf(self, rng: np.random.Generator) -> Exposed:
        steps = rng.integers(-1, 2, (10, 2)).cumsum(0).clip(-3, 3) + 3
        psf = np.zeros((7, 7))
        for i, j in steps[: round(10 * self.T)]:
            psf[i, j] += 1
        return Exposed(psf / psf.sum(), self.T)
