"""A training small enough for tests: a tiny network on smooth random images."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

TINY: dict[str, Any] = {
    "name": "tiny",
    "summary": "A tiny prior of smooth random images.",
    "data": {"train": {"path": "train"}, "val": {"path": "val"}, "credits": ["made here"]},
    "size": 8,
    "network": {
        "space_to_depth": 2,
        "channels": [8, 8],
        "groups": 4,
        "attention": [False, True],
        "head_dim": 8,
        "dropout": 0.1,
    },
    "prediction": "v",
    "optimiser": {"lr": 2e-3, "warmup": 3, "decay": 4},
    "batch": 4,
    "steps": 12,
    "validation": {"every": 5, "sigmas": [25], "samples": 0},
    "device": "cpu",
}


def write_recipe(path: Path, **changes: Any) -> Path:
    """The tiny recipe with top-level entries replaced."""
    path.write_text(yaml.safe_dump(deepcopy(TINY) | changes))
    return path


def write_images(root: Path) -> Path:
    """Folders train (6) and val (3) with smooth random images of 20 × 24 pixels."""
    rng = np.random.default_rng(0)
    for folder, n in (("train", 6), ("val", 3)):
        (root / folder).mkdir()
        for i in range(n):
            coarse = Image.fromarray(rng.integers(0, 256, (4, 5), dtype=np.uint8))
            coarse.resize((24, 20), Image.Resampling.BICUBIC).save(root / folder / f"{folder}_{i}.png")
    return root
