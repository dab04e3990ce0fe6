"""Point spread functions as arrays: splatting, exact areas, centring, support, and the errors of an assumed PSF.

A PSF is float64 (h, w) with odd sides, its origin the pixel (h // 2, w // 2). Points of the plane are complex:
real part to the right, imaginary part *down*, in pixels from the origin. Angles are in degrees, counter-clockwise
as the picture is seen.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bench.errors import PsfError, SettingError

#: (a, b): a PSF has 2 a + 1 rows and 2 b + 1 columns
Half = tuple[int, int]
Points = npt.NDArray[np.complexfloating]
#: Largest side of a PSF that is read or made by distortion: a larger one is more likely a mistake.
LARGEST = 1025


def require(ok: bool, name: str, value: object, allowed: str) -> None:
    """Raise SettingError unless ``ok``: the setting ``name`` has ``value``, which is not ``allowed``."""
    if not ok:
        raise SettingError(f"{name} is {value!r}; allowed: {allowed}")


def require_exposure(T: float) -> None:
    """Raise SettingError unless T is an exposure in (0, 1]."""
    require(0 < T <= 1, "T", T, "an exposure in (0, 1]")


def direction(angle: float) -> complex:
    """The unit vector at ``angle`` degrees counter-clockwise; exact at, and symmetric under, quarter turns."""
    turns, rest = divmod(angle, 90.0)
    u = complex(math.cos(math.radians(rest)), -math.sin(math.radians(rest)))
    for _ in range(int(turns) % 4):
        u = complex(u.imag, -u.real)  # times -1j: a quarter turn, without rounding
    return u


def splat(points: Points, weights: np.ndarray, half: Half) -> np.ndarray:
    """Spread point masses bilinearly on the pixel grid: mass and first moments are exact.

    Args:
        points: complex (..., n).
        weights: non-negative, broadcastable to ``points``.
        half: (a, b), the support.

    Returns:
        float64 (..., 2 a + 1, 2 b + 1). Raises PsfError if a point lies outside the support.
    """
    (a, b), n = half, points.shape[-1]
    y, x = points.imag.reshape(-1, n), points.real.reshape(-1, n)
    if n and not (np.abs(y).max() <= a and np.abs(x).max() <= b):
        raise PsfError(f"points at up to {np.abs(y).max():g} x {np.abs(x).max():g} px leave a support of +-{half} px")
    i, j = np.floor(y), np.floor(x)
    fy, fx = y - i, x - j
    # One row and one column more than the support: a point on the last pixel puts exactly nothing there.
    H, W = 2 * a + 2, 2 * b + 2
    cell = ((i + a) * W + (j + b)).astype(np.intp) + np.arange(len(x))[:, None] * (H * W)
    mass = np.broadcast_to(weights, points.shape).reshape(-1, n)
    right = mass * fx
    out = np.zeros(len(x) * H * W)
    for column, part in enumerate((mass - right, right)):
        lower = part * fy
        for at, share in ((cell + column, part - lower), (cell + column + W, lower)):
            out += np.bincount(at.ravel(), share.ravel(), out.size)
    return out.reshape(*points.shape[:-1], H, W)[..., :-1, :-1]


def reach(points: Points) -> Half:
    """The smallest support (a, b) that holds the bilinear splat of ``points``."""
    return math.ceil(np.abs(points.imag).max()), math.ceil(np.abs(points.real).max())


def grid(half: Half) -> Points:
    """Pixel centres of a support as complex points (2 a + 1, 2 b + 1)."""
    a, b = half
    return np.arange(-b, b + 1.0) + 1j * np.arange(-a, a + 1.0)[:, None]


def half_of(psf: np.ndarray) -> Half:
    """(h // 2, w // 2)."""
    return psf.shape[0] // 2, psf.shape[1] // 2


def barycentre(psf: np.ndarray) -> complex:
    """First moment of a PSF over its sum, in pixels from the origin."""
    return complex((grid(half_of(psf)) * psf).sum() / psf.sum())


def centred(psf: np.ndarray) -> np.ndarray:
    """The PSF moved (see ``moved``) so that its barycentre is the origin."""
    return moved(psf, -barycentre(psf))


def moved(psf: np.ndarray, shift: complex) -> np.ndarray:
    """The PSF moved by ``shift`` px; same sum, support grown where it must.

    The move is sub-pixel, by bilinear splatting, which widens the PSF by f (1 - f) px^2 along an axis that moves by
    a fraction f. A shift below 1e-12 px is none.
    """
    if abs(shift) < 1e-12:
        return psf
    some = psf > 0
    points = grid(half_of(psf))[some] + shift
    return trimmed(splat(points, psf[some], reach(points)), psf.shape)


def odd(psf: np.ndarray) -> np.ndarray:
    """Append a row or a column of zeros to even sides; the origin stays the pixel size // 2."""
    return np.pad(psf, [(0, 1 - n % 2) for n in psf.shape])


def trimmed(psf: np.ndarray, least: tuple[int, ...] = (1, 1)) -> np.ndarray:
    """The PSF on the smallest centred support that holds it and has ``least`` (h, w) pixels, odd."""
    (a, b), used = half_of(psf), grid(half_of(psf))[psf > 0]
    p, q = (max(need, n // 2) for need, n in zip(reach(used), least, strict=True))
    psf = np.pad(psf, ((max(p - a, 0),) * 2, (max(q - b, 0),) * 2))
    a, b = half_of(psf)
    return psf[a - p : a + p + 1, b - q : b + q + 1]


def disk_areas(radius: float) -> np.ndarray:
    """The area that each pixel shares with a disk about the origin: (n, n), sum pi radius^2, exact.

    Inclusion-exclusion on the area of the disk within the rectangle from the origin to each pixel corner.
    """
    n = math.ceil(radius - 0.5)
    edge = np.arange(-n, n + 2) - 0.5
    corner = _corner_area(np.abs(edge)[None, :], np.abs(edge)[:, None], radius)
    areas = np.diff(np.diff(corner * np.sign(edge)[None, :] * np.sign(edge)[:, None], axis=0), axis=1)
    return np.where(areas > 1e-14 * corner.max(), areas, 0.0)  # the differences leave dust outside the disk


def _corner_area(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    """Area of a disk of radius r in [0, x] x [0, y]: the integral of min(y, sqrt(r^2 - t^2)) over t in [0, x]."""

    def under_arc(t: np.ndarray) -> np.ndarray:
        return (t * np.sqrt(r**2 - t**2) + r**2 * np.arcsin(t / r)) / 2

    x, y = np.minimum(x, r), np.minimum(y, r)
    flat = np.minimum(x, np.sqrt(r**2 - y**2))  # up to here the rectangle's lid lies below the arc
    return flat * y + under_arc(x) - under_arc(flat)


def distort(psf: np.ndarray, *, rotate: float = 0.0, scale: float = 1.0, blur: float = 0.0) -> np.ndarray:
    """A PSF that is wrong in a known way, for a solver to assume (``psf_error`` of a grid).

    Args:
        psf: (h, w), odd sides.
        rotate: degrees counter-clockwise about the barycentre.
        scale: factor on the size of the kernel, length and width alike, > 0.
        blur: sigma in px of a Gaussian that is convolved with it, >= 0.

    Returns:
        Odd sides (at least those of ``psf``), non-negative, unit sum, same barycentre. With all defaults: ``psf``.
    """
    require_distortion(rotate=rotate, scale=scale, blur=blur)
    side = math.ceil(max(psf.shape) * (math.sqrt(2) if rotate else 1) * max(scale, 1) + 10 * blur) + 2
    if side > 2 * LARGEST:
        raise PsfError(f"with scale={scale:g}, blur={blur:g} the PSF would have {side} px a side")
    if not rotate and scale == 1 and not blur:
        return psf
    wrong = psf
    if rotate or scale != 1:
        wrong = _turned(wrong, scale * direction(rotate))
    if blur:
        from scipy import ndimage

        wrong = ndimage.gaussian_filter(np.pad(wrong, math.ceil(5 * blur) + 1), blur, mode="constant", truncate=5.0)
    wrong = moved(wrong, barycentre(psf) - barycentre(wrong))
    return trimmed(wrong / wrong.sum(), psf.shape)


def require_distortion(*, rotate: float = 0.0, scale: float = 1.0, blur: float = 0.0) -> None:
    """Raise SettingError unless ``distort`` takes these."""
    require(math.isfinite(rotate), "rotate", rotate, "degrees, finite")
    require(1e-3 <= scale <= LARGEST, "scale", scale, f"a factor from 0.001 to {LARGEST}")
    require(0 <= blur <= LARGEST, "blur", blur, f"sigma in px from 0 to {LARGEST}")


def _turned(psf: np.ndarray, z: complex) -> np.ndarray:
    """psf(p / z) by cubic splines: of bilinear, cubic and splatting, the closest to a kernel drawn anew."""
    from scipy import ndimage  # here: planning a grid needs this module, but seldom a distortion

    padded = np.pad(psf, 3)  # room for the spline to fall to zero
    a, b = half_of(padded)
    at = grid(reach(grid(half_of(psf)) * z)) / z
    out = ndimage.map_coordinates(padded, [at.imag + a, at.real + b], order=3, mode="constant")
    # The spline rings, below zero and far out: neither is part of a PSF.
    return np.where(out > 1e-6 * out.max(), out, 0.0)


def check_psf(psf: np.ndarray, name: str) -> None:
    """Raise PsfError unless ``psf`` keeps the contract of an Operator."""
    if psf.ndim != 2 or psf.shape[0] % 2 == 0 or psf.shape[1] % 2 == 0 or psf.dtype != np.float64:
        raise PsfError(f"{name}: a PSF must be float64 (h, w) with odd sides, got {psf.dtype} {psf.shape}")
    if not np.isfinite(psf).all() or psf.min() < 0 or abs(psf.sum() - 1) > 1e-9:
        raise PsfError(
            f"{name}: a PSF must be finite, non-negative and sum to 1, got {psf.min():g} and {psf.sum():g}"
        )
