"""Camera shake after Boracchi and Foi, "Modeling the performance of image restoration from motion blur", TIP 2012.

Written anew from the formulae in docs/operators.md, which describe what the authors' implementation does.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from bench import Exposed, Operator, PsfError
from bench.imaging.psf import Half, reach, require, require_exposure, splat

#: the number of samples that the model's constants are meant for
N0 = 2000


@dataclass(frozen=True)
class BoracchiFoi(Operator):
    """Random camera shake (Boracchi-Foi): inertia, pull to the start, tremor, impulsive shakes, exposure T.

    Several T share one trajectory; each PSF is centred at its own barycentre. A length or an anxiety that is a range
    is drawn for every trajectory, and recorded beside the PSF.
    """

    random: ClassVar[bool] = True
    shared: ClassVar[tuple[str, ...]] = ("T", "size", "overflow")

    #: L, length of the whole path in px, the path at exposure T is T L long; {uniform: [low, high]} draws it
    length: float | dict[str, tuple[float, float]]
    #: a in [0, 1]; 0 is a straight line, 0.001 to 0.01 is a hand, 0.1 hardly leaves its place; or {uniform: [...]}
    anxiety: float | dict[str, tuple[float, float]] = 0.005
    T: float = 1.0  #: exposure in (0, 1]: the part of the path that is recorded, and of the light
    samples: int = 2000  #: N; the model's statistics depend on it, so other values rescale g, c and f (see docs)
    size: int | None = None  #: side of the support in px, odd; null: the smallest that holds the kernel
    overflow: Literal["error", "grow"] = "error"  #: a kernel larger than size: an error, or a larger support, noted
    centripetal: float | None = None  #: c, pull to the start; null: drawn uniformly from [0, 0.7]
    gaussian: float | None = None  #: g, size of the tremor; null: drawn uniformly from [0, 10]
    shakes: float | None = None  #: f, frequency of impulsive shakes over a; null: drawn uniformly from [0, 0.2]

    def __post_init__(self) -> None:
        low, high = _range("length", self.length)
        require(0 < low <= high < math.inf, "length", self.length, f"px > 0 (`identity` does not blur), {_OR_RANGE}")
        low, high = _range("anxiety", self.anxiety)
        require(0 <= low <= high <= 1, "anxiety", self.anxiety, f"a number in [0, 1], {_OR_RANGE}")
        require_exposure(self.T)
        require(self.samples >= 2, "samples", self.samples, "an integer >= 2")
        fits = self.size is None or (self.size >= 1 and self.size % 2 == 1)
        require(fits, "size", self.size, "an odd number of px, or null for the smallest that holds the kernel")
        require(self.overflow in ("error", "grow"), "overflow", self.overflow, "error, grow")
        for name in ("centripetal", "gaussian", "shakes"):
            value = getattr(self, name)
            require(value is None or 0 <= value < math.inf, name, value, "a number >= 0, or null to draw it")

    def psf(self, rng: np.random.Generator) -> Exposed:
        """The PSF of one trajectory. Raises PsfError if it is larger than ``size`` and may not grow."""
        drive = self._drive(rng)
        points, weights = exposed(_walk(drive), self.T)
        a, grown = self._support(reach(points))
        psf = splat(points, weights, (a, a))
        drawn = ((self.length, f"length {drive.length:.4g} px"), (self.anxiety, f"anxiety {drive.anxiety:.4g}"))
        notes = [text for given, text in drawn if isinstance(given, dict)]
        return Exposed(psf / psf.sum(), self.T, "; ".join([*notes, *([grown] if grown else [])]))

    def path(self, rng: np.random.Generator) -> np.ndarray:
        """One trajectory: complex (N,) px from the start (see ``paths``; plain Python is faster for one)."""
        return _walk(self._drive(rng))

    def paths(self, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """One trajectory for each generator, complex (B, N): equal to ``path`` up to rounding."""
        drives = [self._drive(rng) for rng in rngs]
        turn, push = (np.stack(a, axis=1) for a in zip(*((d.turn, d.push) for d in drives), strict=True))
        pull, v, s = (np.array(a) for a in zip(*((d.pull, d.v0, d.step) for d in drives), strict=True))
        path = np.zeros((self.samples, len(drives)), complex)
        for t in range(self.samples - 1):
            v *= turn[t]
            v += push[t]
            v -= pull * path[t]
            v *= s / np.abs(v)
            np.add(path[t], v, out=path[t + 1])
        return path.T

    def psfs(self, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """The PSFs of many trajectories at once, (B, size, size); without ``size``, as large as the largest."""
        points, weights = exposed(self.paths(rngs), self.T)
        a, _ = self._support(reach(points))
        # One by one they stay in the processor's cache.
        psfs = np.stack([splat(path, weights, (a, a)) for path in np.ascontiguousarray(points)])
        return psfs / psfs.sum((1, 2), keepdims=True)

    def _drive(self, rng: np.random.Generator) -> _Drive:
        """What drives one trajectory.

        The order of the draws is part of the model's identity: length and anxiety where they are ranges, c, g, f, phi
        (4 uniform), then for all N - 1 steps the tremor (normal, 2 each), then whether a shake strikes (uniform),
        then where it turns to (uniform).
        """
        n = self.samples - 1
        length, a = _draw(self.length, rng), _draw(self.anxiety, rng)
        s = length / n
        *drawn, phi = rng.random(4) * (0.7, 10.0, 0.2, 2 * math.pi)
        tremor = rng.standard_normal((n, 2)).view(complex)[:, 0]
        strikes, where = rng.random(n), rng.random(n)
        fixed = (self.centripetal, self.gaussian, self.shakes)
        c, g, f = (u if given is None else given for u, given in zip(drawn, fixed, strict=True))
        # Over a whole path, tremor adds up to g sqrt(N), the pull to c N and the number of shakes to f N.
        c, g, f = c * N0 / self.samples, g * math.sqrt(N0 / self.samples), f * N0 / self.samples
        turn = np.ones(n, complex)
        hit = np.flatnonzero(strikes < f * a)
        turn[hit] += 2 * np.exp(1j * (math.pi + where[hit] - 0.5))
        return _Drive(cmath.rect(a or s, phi), turn, a * g * s * tremor, a * c * s, s, length, a)

    def _support(self, need: Half) -> tuple[int, str]:
        """Half the side of a square support that holds ``need``, and a note if it had to grow."""
        side = 2 * max(need) + 1
        if self.size is None or side <= self.size:
            return (self.size or side) // 2, ""
        if self.overflow == "error":
            raise PsfError(
                f"a Boracchi-Foi kernel of {side} x {side} px does not fit on size: {self.size} "
                f"(length: {self.length}, T: {self.T}). Give a larger size, a smaller length, or overflow: grow."
            )
        return max(need), f"support grown from {self.size} to {side} px"


class _Drive(NamedTuple):
    """The random numbers of one trajectory, scaled: v <- v turn + push - pull x, then to ``step``, x <- x + v."""

    v0: complex
    turn: np.ndarray
    push: np.ndarray
    pull: float
    step: float
    length: float
    anxiety: float


_OR_RANGE = "or {uniform: [low, high]} with low <= high within that"


def _range(name: str, given: float | dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Lowest and highest value of a setting that is a number or a range."""
    if not isinstance(given, dict):
        return given, given
    require(list(given) == ["uniform"], name, given, "a number, or {uniform: [low, high]}")
    low, high = given["uniform"]
    return low, high


def _draw(given: float | dict[str, tuple[float, float]], rng: np.random.Generator) -> float:
    """The value of one trajectory. Nothing is drawn for a number, so that its kernels do not depend on ranges."""
    if not isinstance(given, dict):
        return given
    low, high = given["uniform"]
    return low + (high - low) * float(rng.random())


def _walk(d: _Drive) -> np.ndarray:
    """The trajectory that a drive makes: complex (N,) px from the start."""
    x, v, path = 0j, d.v0, [0j]
    pushes, pull, step = d.push.tolist(), d.pull, d.step
    # Shakes strike seldom: between them the turn is 1, and is left out.
    for start, end in pairwise([*sorted({0, *np.flatnonzero(d.turn != 1).tolist()}), len(pushes)]):
        v *= complex(d.turn[start])
        for push in pushes[start:end]:
            v = v + push - pull * x
            v *= step / abs(v)
            x += v
            path.append(x)
    return np.array(path)


def exposure(T: float, samples: int) -> np.ndarray:
    """The weight of each sample of a path at exposure T: (N,), sum T; the last one counts in part."""
    return np.clip(T * samples - np.arange(samples), 0, 1) / samples


def exposed(path: np.ndarray, T: float) -> tuple[np.ndarray, np.ndarray]:
    """The exposed part of paths (..., N), moved so that their barycentre is 0, and its weights, sum T.

    A bilinear splat keeps first moments, so the barycentre of the PSF is the origin too, to rounding.
    """
    weights = exposure(T, path.shape[-1])
    seen = weights > 0
    points, weights = path[..., seen], weights[seen]
    return points - (points @ weights / weights.sum())[..., None], weights
