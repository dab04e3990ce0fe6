"""What is computed, as plain data that crosses process borders: Ref, Degradation, Shot, Cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from bench.contracts import Operator
from bench.plugins.describe import Kind, Plugin
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.seeds import canonical, digest

Phase = Literal["val", "oracle", "test"]


@dataclass(frozen=True)
class Ref:
    """A plug-in with its settings. Built-ins are known by name, everything else by absolute path."""

    kind: Kind
    name: str
    path: str | None
    settings: dict[str, Any] = field(hash=False)

    @classmethod
    def of(cls, plugin: Plugin, settings: Mapping[str, Any]) -> Ref:
        """Refer to a plug-in."""
        built_in = plugin.module is not None and plugin.module.startswith("bench.")
        return cls(plugin.kind, plugin.label, None if built_in else str(plugin.path), dict(settings))

    @property
    def plugin(self) -> Plugin:
        """Look the plug-in up (again, in another process)."""
        return find_plugin(self.kind, self.path or self.name)


@dataclass(frozen=True)
class Measure:
    """A column of the results: what is measured, and whether on the mean of the samples.

    ``name``: of the columns ``m_`` and ``in_`` + name.
    """

    name: str
    metric: Ref
    of_mean: bool = False


@dataclass(frozen=True)
class Degradation:
    """Blur and noise, and what the solver is given in their place.

    Attributes:
        setting: id in tables: blur, noise and mismatch joined by a dot.
        psf_error: how the PSF that the solver is given differs from the true one, in the keywords of
            ``bench.imaging.psf.distort``; {} = not at all.
        sigma_factor: noise standard deviation that the solver is given, over the true one.
    """

    setting: str
    blur: Ref
    blur_id: str
    noise: Ref
    noise_id: str
    psf_error: dict[str, float] = field(hash=False)
    sigma_factor: float


@dataclass(frozen=True)
class Shot:
    """One exposure: all that a measurement depends on, the solver nowhere in it.

    Attributes:
        dataset_id: the dataset's name in tables; not in the key.
        key: sha256 of the seed, the image's pixels, blur, noise, split, psf_index, rep and boundary.
        own_psf: the PSF is drawn for this image; if not, all images share the one of ``psf_index``.
        group: the source that the image was cut from, within its dataset (photograph, patient, sequence); None for
            the image itself. What statistics take for independent.
    """

    key: str
    degradation: Degradation
    dataset: Ref
    dataset_id: str
    image: str
    image_sha: str
    split: Literal["val", "test"]
    psf_index: int
    rep: int
    seed: int
    boundary: Literal["valid", "circular"]
    own_psf: bool = False
    group: str | None = None

    @property
    def kernel(self) -> str | None:
        """Name of the PSF's draw where other images, or other exposures of theirs, share it; else None."""
        operator = instance(self.degradation.blur)
        assert isinstance(operator, Operator)
        if self.own_psf or not operator.random:
            return None
        return digest(self.psf_draw)[:12]

    @property
    def psf_draw(self) -> list[Any]:
        """What the generator of its PSF is keyed by, beside the seed: shared fields of the operator are not in it."""
        operator = instance(self.degradation.blur)
        assert isinstance(operator, Operator)
        settings = {k: v for k, v in self.degradation.blur.settings.items() if k not in operator.shared}
        draw = [type(operator).__name__, settings, self.split, self.psf_index]
        return [*draw, self.image_sha] if self.own_psf else draw


@dataclass(frozen=True)
class Cell:
    """One solver on one shot.

    Attributes:
        key: sha256 of ``parts``: all that its numbers depend on.
        parts: what the key is made of, hashed by theme, to say why a cell must run again.
        label: the solver's name in tables; not in the key.
        candidate: the tuned settings that it tries (val, oracle) or uses (test).
        tuning: how the candidate of a test cell was chosen.
        samples: how many posterior samples a stochastic solver draws.
        keep: whether the estimate is stored for the report.
        unverified: what of the code behind it cannot be followed, so that the key may miss a change; mostly empty.
        prior: what the solver takes for known of sharp images; None for one that needs no prior.
        prior_id: its name in tables; not in the key.
        calibration: file of what ``bench calibrate`` measured of it, if it did.
    """

    key: str
    shot: Shot
    phase: Phase
    label: str
    solver: Ref
    parts: dict[str, str] = field(hash=False)
    protocol: dict[str, Any] = field(hash=False)
    measures: tuple[Measure, ...]
    candidate: dict[str, Any] | None = field(hash=False, default=None)
    tuning: Literal["val", "oracle"] | None = None
    samples: int = 1
    keep: bool = False
    unverified: str = ""
    prior: Ref | None = None
    prior_id: str | None = None
    calibration: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """The columns of its row that are known before it runs (see ``bench.results.parquet``)."""
        shot, degradation, flags = self.shot, self.shot.degradation, self.solver.plugin.flags
        return {
            "cell_key": self.key,
            "phase": self.phase,
            "solver": self.label,
            "solver_name": self.solver.name,
            "solver_settings": canonical(self.solver.settings),
            "prior": self.prior_id,
            "prior_name": None if self.prior is None else self.prior.name,
            "prior_settings": None if self.prior is None else canonical(self.prior.settings),
            "weights_sha": self.parts.get("weights"),
            "unverified": self.unverified or None,
            "family": flags.get("family", "variational"),
            "same_as": estimator(flags.get("same_as"), self.solver.settings),
            "blind": bool(flags.get("blind", False)),
            "stochastic": bool(flags.get("stochastic", False)),
            "samples": self.samples,
            "tuned": None if self.tuning is None else canonical(self.candidate),
            "tuning": self.tuning,
            "candidate": None if self.candidate is None else canonical(self.candidate),
            "dataset": shot.dataset_id,
            "split": shot.split,
            "image": shot.image,
            "image_sha": shot.image_sha,
            "group": shot.group,
            "setting": degradation.setting,
            "blur": degradation.blur_id,
            "blur_settings": canonical(degradation.blur.settings),
            "noise": degradation.noise_id,
            "noise_settings": canonical(degradation.noise.settings),
            "psf_error": error_id(degradation.psf_error),
            "sigma_factor": degradation.sigma_factor,
            "psf_index": shot.psf_index,
            "kernel": shot.kernel,
            "rep": shot.rep,
            "boundary": shot.boundary,
            "dtype": self.protocol["dtype"],
            "threads": self.protocol["threads"],
        }


def cell_of(data: Mapping[str, Any]) -> Cell:
    """The inverse of ``dataclasses.asdict``, through JSON too."""
    shot, degradation = data["shot"], data["shot"]["degradation"]
    parts = {"blur": Ref(**degradation["blur"]), "noise": Ref(**degradation["noise"])}
    restored = {"degradation": Degradation(**{**degradation, **parts}), "dataset": Ref(**shot["dataset"])}
    own = {"solver": Ref(**data["solver"]), "prior": None if data["prior"] is None else Ref(**data["prior"])}
    measures = tuple(Measure(**{**m, "metric": Ref(**m["metric"])}) for m in data["measures"])
    return Cell(**{**data, **own, "shot": Shot(**{**shot, **restored}), "measures": measures})


def estimator(same_as: str | Mapping[str, Mapping[Any, str]] | None, settings: Mapping[str, Any]) -> str | None:
    """The estimator that a solver's ``same_as`` names for these settings; None where rows share none."""
    if isinstance(same_as, str):
        return same_as or None
    names = (by_value.get(settings.get(parameter)) for parameter, by_value in (same_as or {}).items())
    return next((name for name in names if name), None)


def error_id(error: Mapping[str, float]) -> str:
    """``none`` or ``rotate=5 blur=0.5``."""
    return " ".join(f"{k}={v:g}" for k, v in error.items()) or "none"


@lru_cache(maxsize=64)
def _instance(kind: str, name: str, path: str | None, settings: str) -> object:
    import json

    ref = Ref(kind, name, path, json.loads(settings))  # type: ignore[arg-type]  # a Kind in the Ref that it came from
    return build(ref.plugin, load_plugin(ref.plugin), ref.settings)


def instance(ref: Ref) -> object:
    """The plug-in that a Ref means, built once per process."""
    return _instance(ref.kind, ref.name, ref.path, canonical(ref.settings))
