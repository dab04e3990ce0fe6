"""Smooth random pictures; every load is noted in a file, so that a test can see who looked at what."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import Dataset, Image
from bench.seeds import generator


@dataclass(frozen=True)
class NoiseImages(Dataset):
    """Smooth random pictures of 24 x 24 pixels with a margin of 4."""

    split: str = "test"
    count: int = 2

    def ids(self) -> list[str]:
        return [f"{self.split}{i}" for i in range(self.count)]

    def load(self, id: str) -> Image:
        if log := os.environ.get("BENCH_TEST_LOADS"):
            with Path(log).open("a", encoding="utf-8") as f:
                f.write(f"{id}\n")
        rough = generator("picture", id).random((1, 32, 32))
        smooth = sum(np.roll(rough, (i, j), (1, 2)) for i in range(5) for j in range(5)) / 25
        return Image(id, np.asarray(smooth), 4)
