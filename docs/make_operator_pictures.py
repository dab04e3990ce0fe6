"""Draw docs/img/operators.png: example kernels of every operator. Run: ``python docs/make_operator_pictures.py``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bench.imaging.psf import half_of
from bench.seeds import generator

TARGET = Path(__file__).parent / "img" / "operators.png"
#: half the side of every panel, in px
HALF = 20
SEED = 4

SHAKE = {"length": 40.0}
#: (operator, class, settings, caption); all shakes are driven by the same random numbers
ROWS: list[list[tuple[str, str, dict[str, Any], str]]] = [
    [
        ("boracchi_foi", "BoracchiFoi", {**SHAKE, "anxiety": a}, f"boracchi_foi\nlength 40, anxiety {a}")
        for a in (0.001, 0.0025, 0.005, 0.01)
    ],
    [
        ("boracchi_foi", "BoracchiFoi", {**SHAKE, "anxiety": 0.005, "T": T}, f"boracchi_foi\none path, T {T}")
        for T in (0.125, 0.25, 0.5, 1.0)
    ],
    [
        ("linear", "Linear", {"length": 21.0, "angle": 30.0}, "linear\nlength 21, angle 30"),
        (
            "linear",
            "Linear",
            {"length": 21.0, "angle": 30.0, "kind": "fspecial"},
            "linear, fspecial\nlength 21, angle 30",
        ),
        ("disk", "Disk", {"radius": 7.0}, "disk\nradius 7"),
        ("disk", "Disk", {"radius": 2.5}, "disk\nradius 2.5"),
    ],
    [
        ("gaussian", "Gaussian", {"sigma": 3.0}, "gaussian\nsigma 3"),
        (
            "gaussian",
            "Gaussian",
            {"sigma": 4.0, "sigma_y": 1.5, "angle": 30.0},
            "gaussian\nsigma 4 and 1.5, angle 30",
        ),
        ("gaussian", "Gaussian", {"sigma": 0.5, "kind": "integrated"}, "gaussian, integrated\nsigma 0.5"),
        ("identity", "Identity", {}, "identity"),
    ],
]


def framed(psf: np.ndarray) -> np.ndarray:
    """The middle (2 HALF + 1)^2 pixels, which must hold all but the faint tail of a Gaussian."""
    wide = np.pad(psf, HALF)
    a, b = half_of(wide)
    middle = wide[a - HALF : a + HALF + 1, b - HALF : b + HALF + 1]
    assert middle.sum() > 0.9999, "a kernel does not fit its panel"
    return middle


def main() -> None:
    """Draw and save."""
    mpl.rcParams.update({"font.size": 7, "font.family": "DejaVu Sans"})
    figure = Figure(figsize=(6.4, 7.4), dpi=110, layout="constrained")
    axes = figure.subplots(len(ROWS), len(ROWS[0]))
    for row, examples in zip(axes, ROWS, strict=True):
        for ax, (name, class_name, settings, caption) in zip(row, examples, strict=True):
            operator = getattr(import_module(f"bench.operators.{name}"), class_name)(**settings)
            psf = operator.psf(generator("picture", SEED)).psf
            # The square root shows the faint parts; a linear scale shows where the camera stood still, and no more.
            ax.imshow(np.sqrt(framed(psf)), cmap="magma", interpolation="nearest")
            ax.set_title(caption, pad=3)
            ax.set_axis_off()
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, metadata={"Software": None})


if __name__ == "__main__":
    main()
