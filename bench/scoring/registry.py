"""What reports, checks and tables know of a metric, by the name of its column.

Built-in metrics say it in their sources, which are read and not imported. Metrics of others are learnt from the grid
that names them, and from results, whose columns carry what is known of them: nobody who reads results needs the code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.contracts import Metric
from bench.errors import PluginError
from bench.plugins.describe import Plugin
from bench.plugins.lookup import built_in as built_in_plugins

if TYPE_CHECKING:
    import numpy as np  # by its arrays' methods alone: listing metrics need not import it

FAMILIES = ("fidelity", "structure", "perception", "check", "samples")
BETTER = ("higher", "lower", "one")
#: suffix of the form of a metric that is taken of the mean of the samples
OF_MEAN = "_mean"
#: suffix of the metric that is the value which theory expects of another
EXPECTED = "_expected"

_CLIPPED = "Estimate clipped to [0, 1] and the border cropped as the protocol says; all channels count alike."
_FRAMES = {
    ("picture", "clipped"): _CLIPPED,
    ("picture", "cropped"): "Estimate as returned, not clipped; the border cropped as the protocol says.",
    ("picture", "whole"): "On the whole estimate as returned, not clipped.",
    ("samples", "clipped"): f"Of all samples together. {_CLIPPED}",
    ("samples", "cropped"): "Samples as they were drawn, not clipped; the border cropped as the protocol says.",
    ("samples", "whole"): "On the whole samples as they were drawn, not clipped.",
}


@dataclass(frozen=True)
class MetricInfo:
    """What is known of a metric.

    Attributes:
        name: columns of the results are ``m_`` and ``in_`` + name.
        definition: what exactly is measured, in sentences.
        low, high: least and largest possible value, None where there is no bound.
        label, better, target, unit, digits, family, of, needs_truth, tolerance, reference: see ``bench.Metric``.
    """

    name: str
    label: str
    better: str = "one"
    target: float = 1.0
    unit: str = ""
    digits: int = 3
    family: str = "fidelity"
    of: str = "picture"
    needs_truth: bool = True
    low: float | None = None
    high: float | None = None
    tolerance: tuple[float, float, float] = (1e-4, 2e-3, 1e-2)
    definition: str = ""
    reference: str = ""

    @property
    def ranks(self) -> bool:
        """Whether more or less of it is better; if not, it is a check with a target."""
        return self.better != "one"

    def loss(self, value: np.ndarray) -> np.ndarray:
        """Values on a scale where less is better: what tuning minimises and ranks sort by."""
        if self.better == "one":
            return abs(value - self.target)
        return -value if self.better == "higher" else value

    def mean_form(self) -> MetricInfo:
        """The same, taken of the mean of the samples."""
        definition = f"Of the mean of the samples, or of a single estimate. {self.definition}"
        return replace(self, name=self.name + OF_MEAN, label=f"{self.label} of mean", definition=definition)


def info_of(plugin: Plugin, name: str, settings: Mapping[str, Any]) -> MetricInfo:
    """What a metric's source says of the column ``name``. Raises PluginError where it says what nothing may be."""

    def stated(flag: str) -> Any:
        return plugin.flags.get(flag, getattr(Metric, flag))

    label, digits = stated("label"), stated("digits")
    better = settings.get(stated("better"), stated("better"))
    low, high = stated("range")
    definition = " ".join([plugin.summary, _FRAMES.get((stated("of"), stated("frame")), "")]).strip()
    wrong = {
        "better": better not in BETTER,
        "family": stated("family") not in FAMILIES,
        "of and frame": (stated("of"), stated("frame")) not in _FRAMES,
        "digits": not isinstance(digits, int) or not 0 <= digits <= 12,
    }
    if any(wrong.values()):
        names = ", ".join(n for n, is_wrong in wrong.items() if is_wrong)
        raise PluginError(
            f"metric {plugin.name!r}: {plugin.path}: {names} must be what bench.Metric allows: better "
            f"{', '.join(BETTER)} or a parameter with one of these, family {', '.join(FAMILIES)}, of picture or "
            "samples, frame clipped, cropped or whole, digits 0 to 12"
        )
    return MetricInfo(
        name=name,
        label=(label.get(name, "") if isinstance(label, Mapping) else label) or name,
        better=better,
        target=float(stated("target")),
        unit=stated("unit"),
        digits=digits,
        family=stated("family"),
        of=stated("of"),
        needs_truth=bool(stated("needs_truth")),
        low=low,
        high=high,
        tolerance=stated("tolerance") or (0.1 * 10.0**-digits, 2 * 10.0**-digits, 10 * 10.0**-digits),
        definition=definition,
        reference=stated("reference"),
    )


# --- by name --------------------------------------------------------------------------------------------------


@cache
def built_in() -> Mapping[str, MetricInfo]:
    """The columns that built-in metrics have under their own names, and their means', by family."""
    known = [info_of(p, name, settings) for name, (p, settings) in presets().items()]
    known.sort(key=lambda m: FAMILIES.index(m.family))
    means = [m.mean_form() for m in known if has_mean(m)]
    return {m.name: m for m in [*known, *means]}


@cache
def presets() -> Mapping[str, tuple[Plugin, dict[str, Any]]]:
    """Name of a column -> the built-in metric and settings that it stands for."""
    names: dict[str, tuple[Plugin, dict[str, Any]]] = {}
    for p in built_in_plugins("metric"):
        short: dict[str, dict[str, Any]] = p.flags.get("presets") or {}
        if not short and not any(s.required for s in p.parameters.values()):
            short = {p.name: {}}
        for name, given in short.items():
            names[name] = p, {n: s.default for n, s in p.parameters.items()} | given
    return names


def has_mean(info: MetricInfo) -> bool:
    """Whether the mean of several samples is worth a column of its own: where an estimate is judged, not checked."""
    return info.ranks and info.of == "picture"


_learnt: dict[str, MetricInfo] = {}


def learn(infos: Iterable[MetricInfo]) -> None:
    """Remember metrics that are not built in; what is learnt last of a name holds."""
    _learnt.update({m.name: m for m in infos if m.name not in built_in()})


def known() -> Mapping[str, MetricInfo]:
    """Every metric that this process knows of, the built-in ones first."""
    return {**built_in(), **_learnt}


def describe(name: str) -> MetricInfo:
    """The metric of that name; one that nobody has told of is shown and never ranked."""
    unknown = MetricInfo(name, name, definition="Not known to this version.")
    return built_in().get(name) or _learnt.get(name) or unknown


# --- in files -------------------------------------------------------------------------------------------------


def as_json(info: MetricInfo) -> str:
    """One line of JSON."""
    return json.dumps(asdict(info), ensure_ascii=False)


def from_json(name: str, text: str) -> MetricInfo | None:
    """The metric of a column that ``as_json`` wrote; None for what it cannot have written."""
    try:
        given = json.loads(text)
        assert given.keys() == {f.name for f in fields(MetricInfo)}
        info = MetricInfo(**{**given, "name": name, "tolerance": tuple(given["tolerance"])})
    except (ValueError, TypeError, AttributeError, AssertionError, RecursionError):
        return None
    return info if _is_sound(info) else None


def _is_sound(info: MetricInfo) -> bool:
    texts = (info.label, info.unit, info.definition, info.reference, info.better, info.family, info.of)
    numbers = [info.target, *info.tolerance, *(v for v in (info.low, info.high) if v is not None)]
    return (
        all(isinstance(t, str) for t in texts)
        and all(isinstance(v, int | float) and math.isfinite(v) for v in numbers)
        and len(info.tolerance) == 3
        and min(info.tolerance) >= 0
        and isinstance(info.digits, int)
        and 0 <= info.digits <= 12
        and info.better in BETTER
        and info.family in FAMILIES
    )
