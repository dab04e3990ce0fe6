"""Pictures that need no file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench import Dataset, Image


@dataclass(frozen=True)
class Ramps(Dataset):
    """Ramps of grey, steeper from picture to picture."""

    count: int = 2
    size: int = 32

    def ids(self) -> Sequence[str]:
        """ramp1, ramp2 ..."""
        return [f"ramp{i + 1}" for i in range(self.count)]

    def load(self, id: str) -> Image:
        """float64 (1, size, size)."""
        ramp = np.linspace(0.1, 0.9, self.size) ** int(id.removeprefix("ramp"))
        return Image(id, np.tile(ramp, (1, self.size, 1)))
