"""TensorBoard, for those who have it: losses of every step, figures and pictures of every validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.errors import TrainingError
from bench.train.gallery import PICTURES


class Board:
    """Takes what a training has to show, and does nothing with it."""

    def step(self, step: int, loss: float, rate: float) -> None:
        """After a step: its loss and its learning rate."""

    def validation(self, row: dict[str, Any], out: Path) -> None:
        """After a validation: its row of the history, and the folder with its pictures."""

    def close(self) -> None:
        """Nothing more will come."""


class TensorBoard(Board):
    """Events in ``out/tensorboard``; those after the first step to come are of a lost end, and hidden.

    Raises TrainingError where the package tensorboard is missing.
    """

    def __init__(self, out: Path, first: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TrainingError(
                "--tensorboard needs the package tensorboard: pip install 'deblur-bench[tensorboard]'"
            ) from error
        self.writer = SummaryWriter(str(out / "tensorboard"), purge_step=first)

    def step(self, step: int, loss: float, rate: float) -> None:
        """See ``Board``."""
        self.writer.add_scalar("step/loss", loss, step)
        self.writer.add_scalar("step/lr", rate, step)

    def validation(self, row: dict[str, Any], out: Path) -> None:
        """See ``Board``."""
        step = int(row["step"])
        for name, value in row.items():
            if name not in ("step", "lr"):
                self.writer.add_scalar(f"validation/{name}", float(value), step)
        for picture in (p for name in PICTURES if (p := out / name).is_file()):
            with Image.open(picture) as image:
                pixels = np.asarray(image)
            self.writer.add_image(picture.stem, pixels, step, dataformats="HW" if pixels.ndim == 2 else "HWC")
        self.writer.flush()

    def close(self) -> None:
        """See ``Board``."""
        self.writer.close()
