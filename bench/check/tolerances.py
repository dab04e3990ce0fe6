"""How much worse a group of cells may get before anybody is told.

A group's loss is a mean over paired cells, in the metric's worse direction and unit. What is allowed was measured on
PSNR: re-running in float64 under other processors and torch versions moves a cell by less than 1e-9 dB (docs/check.md);
in float32 only stochastic solvers on another machine move visibly, since 2 to 4 % of their trajectories jump.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import SettingError, did_you_mean
from bench.metrics import METRICS

#: metric -> allowed loss in (float64; float32; float32, stochastic, in another environment).
#: SSIM, LPIPS and CRPS follow PSNR: what a change of so many dB typically does to them.
DEFAULTS = {
    "psnr": (1e-3, 0.02, 0.15),
    "ssim": (2.5e-5, 5e-4, 4e-3),
    "lpips_alex": (1e-4, 1e-3, 7.5e-3),  # the network is float32 whatever the solver is
    "crps": (2.5e-6, 5e-5, 4e-4),
}


@dataclass(frozen=True)
class Conditions:
    """What the tolerance of a group depends on besides the metric.

    Attributes:
        dtype: "float64" or "float32".
        stochastic: whether the solver draws random numbers.
        same_environment: whether both sides were computed with the same processor kind and library versions.
        on_cpu: whether both sides were: a GPU may not repeat itself to the last bit.
    """

    dtype: str
    stochastic: bool
    same_environment: bool
    on_cpu: bool

    @property
    def repeatable(self) -> bool:
        """Whether computing it again gives the same number up to rounding, so that any loss beyond is a change."""
        if self.dtype == "float64":
            return True
        return not self.stochastic or (self.same_environment and self.on_cpu)


def tolerance(metric: str, conditions: Conditions, given: dict[str, float]) -> float | None:
    """The allowed mean loss of a group; None for a metric that does not gate (a check such as χ², unless given)."""
    if metric in given:
        return given[metric]
    defaults = DEFAULTS.get(metric.removesuffix("_mean"))
    if defaults is None:
        return None
    double, single, jumping = defaults
    if conditions.dtype == "float64":
        return double
    return single if conditions.repeatable else jumping


def parse(items: Iterable[str]) -> dict[str, float]:
    """``psnr=0.05`` texts to a dictionary. Raises SettingError with what is allowed."""
    found: dict[str, float] = {}
    for item in items:
        name, _, text = item.partition("=")
        if name not in METRICS:
            raise SettingError(f"--tolerance {item!r}: no metric is called {name!r}. {did_you_mean(name, METRICS)}")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise SettingError(f"--tolerance {item!r}: want metric=number, zero or more, as in psnr=0.05")
        found[name] = value
    return found
