"""What a sampler must reach for each grade.

The mean of two exact draws is no sample, and is an F: it has W₂ 0.29, half the posterior's variance and 76 % of the
truths in its 90 % intervals. An A leaves room for what an integrator costs in tens of steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Grade = Literal["A", "B", "C", "F"]
ORDER: tuple[Grade, ...] = ("A", "B", "C", "F")


class Limits(NamedTuple):
    """The interval [low, high] that a measured number must lie in for each grade; outside all of them it is F."""

    A: tuple[float, float]
    B: tuple[float, float]
    C: tuple[float, float]


#: W₂ over √MMSE. For an A it is also at most EXACT times that of the exact score in as many DDPM steps.
W2 = Limits((0, 0.15), (0, 0.2), (0, 0.25))
EXACT = 1.5
#: Variance over the posterior's.
VARIANCE = Limits((0.8, 1.25), (0.7, 1.4), (0.6, 1.6))
#: Share of the truths in the interval of nominal 0.9.
COVERAGE = Limits((0.87, 0.93), (0.84, 0.95), (0.8, 0.97))
#: χ² over that of exact samples: outside, the data are ignored or their noise is fitted.
CHI2 = Limits((0.8, 1.25), (0.7, 1.4), (0.6, 1.6))
#: CRPS over that of exact samples, on the mixture.
CRPS = Limits((0, 1.05), (0, 1.1), (0, 1.2))
#: p of the calibration test: rejected at the level of 1 %, a sampler has no A.
CALIBRATION = Limits((0.01, 1), (0, 1), (0, 1))
#: Bias² of a point estimate over the MMSE: 0.2, 0.5 and 1 dB above the least mean squared error.
BIAS2 = Limits((0, 0.047), (0, 0.122), (0, 0.26))


@dataclass(frozen=True)
class Condition:
    """One number that was judged.

    Attributes:
        where: oracle.
        what: the name of the number.
        value: as measured.
        grade: the best whose interval reaches ``value`` within one standard error.
        allowed: the interval of an A.
    """

    where: str
    what: str
    value: float
    grade: Grade
    allowed: tuple[float, float]

    @classmethod
    def judge(cls, where: str, what: str, value: float, limits: Limits, error: float = 0.0) -> Condition:
        """Within [low - error, high + error] of a grade; NaN is F."""
        for grade, (low, high) in zip(ORDER, limits, strict=False):
            if low - error <= value <= high + error:
                return cls(where, what, value, grade, limits.A)
        return cls(where, what, value, "F", limits.A)

    @property
    def text(self) -> str:
        """What was measured and what an A allows."""
        low, high = self.allowed
        return f"{self.where}: {self.what} {self.value:.3g}: {self.grade} (A: {low:g} to {high:g})"


def worst(grades: list[Grade]) -> Grade:
    """The grade of the whole: that of its worst part; A of nothing."""
    return ORDER[max((ORDER.index(g) for g in grades), default=0)]
