"""What a validation leaves in a folder of its own: weights and pictures, of the last few."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.train.checkpoint import write_atomically

#: pictures of a validation; curves are of all of them
PICTURES = ("samples.png", "reconstructions.png", "restorations.png")


def keep(out: Path, step: int, weights: bytes, most: int) -> None:
    """Write ``out/validations/STEP`` with the moving average as weights.safetensors, and the pictures just drawn.

    Args:
        out: folder of the training.
        step: of the validation.
        weights: a weights file.
        most: how many such folders stay, the latest; 0 writes none and leaves what is there.

    Raises TrainingError when the disk is full.
    """
    if not most:
        return
    folder = out / "validations" / f"{step:08d}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "weights.safetensors", weights)
    for picture in (p for name in PICTURES if (p := out / name).is_file()):
        write_atomically(folder / picture.name, picture.read_bytes())
    for old in sorted(folder.parent.iterdir())[:-most]:
        shutil.rmtree(old)
