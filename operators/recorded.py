"""Real pictures: the dataset brings the measurement and the PSF that was calibrated for it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench import Exposed, Operator, PluginError


@dataclass(frozen=True)
class Recorded(Operator):
    """No synthetic blur: measurement and PSF as the dataset recorded them (levin2009); noise only tells the level."""

    recorded: ClassVar[bool] = True

    def psf(self, rng: np.random.Generator) -> Exposed:  # noqa: ARG002  # nothing is drawn
        """Never called: the harness asks the dataset. Raises PluginError."""
        raise PluginError("recorded measurements bring their own PSF")
