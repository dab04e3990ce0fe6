"""Pictures side by side on axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.report.figures.style import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: inches of a panel's side
SIDE = 1.7


def draw_panels(panels: Sequence[tuple[str, np.ndarray]], title: str, columns: int) -> list[Axes]:
    """Draw (title, picture (C, H, W) in [0, 1]) each, pixel by pixel without smoothing; returns the axes."""
    import matplotlib.pyplot as plt

    columns = max(1, min(columns, len(panels)))
    rows = -(-len(panels) // columns)
    size = (SIDE * columns, (SIDE + 0.4) * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.suptitle(plain(title), fontsize=9)
    flat = list(axes.flat)
    for ax in flat:
        ax.set_axis_off()
    for ax, (name, picture) in zip(flat, panels, strict=False):
        show(ax, picture)
        ax.set_title("\n".join(plain(line) for line in name.split("\n")), fontsize=8)
    return flat[: len(panels)]


def show(ax: Axes, picture: np.ndarray) -> None:
    """A picture (C, H, W) in [0, 1], clipped, pixel by pixel without smoothing."""
    shown = np.clip(picture, 0, 1).transpose(1, 2, 0)
    ax.imshow(shown[..., 0] if shown.shape[-1] == 1 else shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
