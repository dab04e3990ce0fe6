"""Arrays to WebP data URIs: a page from ``file://`` may read the pixels of these and of no image file."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np


def script_json(value: Any) -> str:
    """ASCII JSON that may stand inside a <script>: no ``<``, ``>`` or ``&`` in it."""
    import json

    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def to_float(array: np.ndarray) -> np.ndarray:
    """uint8 is read as value / 255; floats are taken as they are."""
    return array.astype(np.float64) / 255 if array.dtype == np.uint8 else array.astype(np.float64)


def data_uri(image: np.ndarray) -> str:
    """A picture (C, H, W) in [0, 1], clipped, as lossless 8-bit WebP."""
    return _webp(np.clip(np.nan_to_num(image), 0, 1), lossless=True, method=2)


def signed_uri(residual: np.ndarray, limit: float) -> str:
    """A map (H, W) in [-limit, limit], clipped, as 8-bit WebP with loss: noise compresses no other way."""
    return _webp(np.clip(np.nan_to_num(residual) / (2 * limit) + 0.5, 0, 1)[None], quality=80, method=1)


def psf_uri(psf: np.ndarray) -> str:
    """A PSF, cropped to a centred square round its support and scaled to its maximum."""
    return data_uri(support(psf)[None] / max(psf.max(), np.finfo(float).tiny))


def support(psf: np.ndarray) -> np.ndarray:
    """The smallest centred square of odd size, with a border of one pixel, that holds what is visible in 8 bits."""
    psf = psf.reshape(psf.shape[-2:])
    (h, w), visible = psf.shape, np.argwhere(psf > psf.max() / 255)
    radius = int(np.abs(visible - (h // 2, w // 2)).max(initial=1)) + 1
    padded = np.pad(psf, radius)
    return padded[h // 2 : h // 2 + 2 * radius + 1, w // 2 : w // 2 + 2 * radius + 1]


def _webp(image: np.ndarray, **how: Any) -> str:
    from PIL import Image

    pixels = np.round(image * 255).astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", **how)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
