"""One channel of three: luma, as Recommendation ITU-R BT.601 weighs red, green and blue."""

from __future__ import annotations

import numpy as np

from bench.imaging.picture_files import LUMINANCE

#: width of the luma in studio swing, 16 .. 235, over that of the full swing, 0 .. 255
STUDIO = 219 / 255


def luma(image: np.ndarray) -> np.ndarray:
    """(H, W) luma in full swing of (C, H, W), C = 1 or 3, in [0, 1]; of a gray picture the picture."""
    return image[0] if len(image) == 1 else np.tensordot(LUMINANCE, image, 1)
