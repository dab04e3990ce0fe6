"""The degradation: one scene, one PSF, one noise model in, one measurement out. numpy float64, no torch.

Measurements are made here and nowhere else, from generators keyed by content, so that every solver gets the same
one, whatever ran before it, in which batch, on which device.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.contracts import Exposed, Image, Noise, NoiseLevel
from bench.errors import DataError
from bench.imaging.fft import fast_shape


@dataclass(frozen=True)
class Measurement:
    """What the sensor recorded, and what it should have been.

    Attributes:
        y: float64 (C, H, W), about [0, 1], not clipped.
        truth: float64 (C, H, W), the scene within the field of view; None where nobody knows it.
        psf: float64 (h, w), unit sum: the true one; an impulse where nobody knows it.
        T: exposure.
        level: gain and sigma in [0, 1] units: the true ones.
        burst: float64 (N, C, H, W), measurements of neighbouring frames, y in the middle; None for a single picture.
        psf_known: whether ``psf`` is what blurred the picture.
    """

    y: np.ndarray
    truth: np.ndarray | None
    psf: np.ndarray
    T: float
    level: NoiseLevel
    burst: np.ndarray | None = None
    psf_known: bool = True

    @property
    def sharp(self) -> np.ndarray:
        """The truth. Raises DataError where nobody knows it."""
        if self.truth is None:
            raise DataError("this measurement has no sharp version, to be compared with or learnt from")
        return self.truth

    @property
    def sha(self) -> str:
        """sha256 of the measurement's bytes: what proves that two solvers saw the same data."""
        return array_sha(self.y if self.burst is None else self.burst)


def array_sha(a: np.ndarray) -> str:
    """sha256 (hex) over shape, type and bytes of an array."""
    head = f"{a.dtype.str}{a.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(a).tobytes()).hexdigest()


def measure(
    image: Image,
    exposed: Exposed,
    noise: Noise,
    rng: np.random.Generator,
    boundary: Literal["valid", "circular"] = "valid",
) -> Measurement:
    """Blur the scene and add noise.

    ``valid`` draws on the scene's margin and keeps the field of view; ``circular`` wraps the field of view round.
    The frames of a burst lie behind the same PSF and have noise of their own; the middle one is drawn first, so that
    its measurement is that of the single picture. Raises DataError if the margin is smaller than half the PSF.
    """

    def sensed(scene: np.ndarray) -> np.ndarray:
        frame = replace(image, scene=scene)
        blurred = (
            blur_valid(frame, exposed.psf)
            if boundary == "valid"
            else blur_circular(field_of_view(scene, image.margin, image.margin), exposed.psf)
        )
        return noise.sample(blurred, exposed.T, rng)

    y, burst = sensed(image.scene), None
    if image.burst is not None:
        middle = len(image.burst) // 2
        burst = np.stack([y if i == middle else sensed(frame) for i, frame in enumerate(image.burst)])
    truth = field_of_view(image.scene, image.margin, image.margin)
    return Measurement(y, truth, exposed.psf, exposed.T, noise.level(exposed.T), burst)


def field_of_view(scene: np.ndarray, top: int, left: int) -> np.ndarray:
    """The scene (C, H, W) without ``top`` rows and ``left`` columns on either side."""
    H, W = scene.shape[-2:]
    return scene[:, top : H - top, left : W - left]


def blur_valid(image: Image, psf: np.ndarray) -> np.ndarray:
    """Convolve the scene and keep the field of view (C, H, W)."""
    (a, b), m = (n // 2 for n in psf.shape), image.margin
    if max(a, b) > m:
        raise DataError(
            f"image {image.id!r}: a PSF of {psf.shape[0]} x {psf.shape[1]} pixels needs {max(a, b)} pixels around "
            f"the field of view, the dataset has margin: {m}. Give it a larger margin, or use boundary: circular."
        )
    scene = field_of_view(image.scene, m - a, m - b)
    H, W = scene.shape[-2:]
    # Circular on a grid no smaller than the scene: what wraps round lands in the margin that is dropped.
    blurred = _convolve(scene, psf, fast_shape((H, W)))
    return blurred[:, a : H - a, b : W - b]


def blur_circular(x: np.ndarray, psf: np.ndarray) -> np.ndarray:
    """Convolve x (C, H, W) with itself repeated periodically on all sides."""
    (h, w), (H, W) = psf.shape, x.shape[-2:]
    if h > H or w > W:
        raise DataError(f"a PSF of {h} x {w} pixels does not fit on a circular image of {H} x {W}")
    return _convolve(x, psf, (H, W))


def _convolve(x: np.ndarray, psf: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    h, w = psf.shape
    kernel = np.zeros(grid)
    kernel[:h, :w] = psf
    kernel = np.roll(kernel, (-(h // 2), -(w // 2)), (0, 1))
    return np.fft.irfft2(np.fft.rfft2(x, s=grid) * np.fft.rfft2(kernel), s=grid)
