"""grid.yaml -> Grid: what to compare, on what, under which protocol. Every error names file and line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from bench.errors import BenchError, GridError, SettingError, did_you_mean
from bench.files import shipped_files
from bench.grid import limits
from bench.grid.candidates import tuning_of
from bench.grid.conditions import Expression
from bench.grid.schema import (
    DISTORTIONS,
    Blurring,
    Execution,
    Grid,
    Protocol,
    Section,
    SolverEntry,
    Source,
    TuneSection,
)
from bench.grid.source_ids import is_id, source_ids
from bench.grid.variants import Variant, expand
from bench.grid.yaml import Located, read_yaml
from bench.imaging.psf import require_distortion
from bench.metrics.evaluate import METRICS, with_posterior
from bench.plugins.contents import from_folder
from bench.plugins.describe import Kind, Plugin
from bench.plugins.lookup import find_plugin
from bench.plugins.settings import describe, resolve

_KEYS = (
    "name", "seed", "data", "blur", "noise", "psf_error", "sigma_factor", "solvers", "exclude", "repetitions",
    "samples", "tune", "metrics", "protocol", "run",
)  # fmt: skip


def find_grid(name: str) -> Path:
    """The grid file that ``name`` means: a path, or a shipped grid. Raises GridError."""
    path = Path(name)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError) as error:  # too long, or with a character that no path has
        raise GridError(f"{name[: limits.LONGEST_NAME]!r} is no path: {error}") from error
    files = shipped_files("grids", ".yaml")
    if name.removesuffix(".yaml") in files:
        return files[name.removesuffix(".yaml")]
    raise GridError(f"there is no file {name!r} and no shipped grid of that name. {did_you_mean(name, files)}")


def read_grid(path: Path) -> Grid:
    """Read and validate a grid file. Raises GridError with file, line, what is allowed and a guess."""
    return parse_grid(read_yaml(path), path.resolve().parent)


def parse_grid(doc: Located, base: Path) -> Grid:
    """Validate a parsed document; relative paths in it start from ``base``."""
    top = _Top(doc, base)
    data = top.mapping("data")
    for key in data:
        if key not in ("test", "val"):
            raise doc.error(f"unknown key {key!r} in data. {did_you_mean(key, ['test', 'val'])}", "data", key)
    tune = top.section("tune", TuneSection)
    metrics, samples = top.metrics(("psnr", "ssim")), top.number("samples", 1, 1)
    if tune.metric not in METRICS:
        raise doc.error(
            f"no metric is called {tune.metric!r}. {did_you_mean(tune.metric, METRICS)}", "tune", "metric"
        )
    metrics = metrics if tune.metric in metrics else (*metrics, tune.metric)
    grid = Grid(
        name=top.name(),
        seed=top.number("seed", 0, 0, most=2**63 - 1),
        test=top.sources("test"),
        val=top.sources("val"),
        blurs=tuple(top.blurs()),
        noises=tuple(top.variants("noise", "noise")),
        psf_errors=top.psf_errors(),
        sigma_factors=top.sigma_factors(),
        solvers=tuple(top.solvers(tune)),
        exclude=top.expressions("exclude"),
        repetitions=top.number("repetitions", 1, 1),
        samples=samples,
        tune=tune,
        metrics=with_posterior(metrics) if samples > 1 else metrics,
        protocol=top.section("protocol", Protocol),
        run=top.section("run", Execution),
        text=doc.text,
        base=base,
    )
    if not grid.val and any(s.tuning and not s.tuning.oracle for s in grid.solvers):
        raise doc.error("solvers are tuned, but data has no val: tuning never looks at test images", "data")
    settings = len(grid.blurs) * len(grid.noises) * len(grid.psf_errors) * len(grid.sigma_factors)
    if settings > limits.MOST_SETTINGS:
        raise doc.error(f"{settings:,} degradations; at most {limits.MOST_SETTINGS:,} are planned", "blur")
    return grid


_S = TypeVar("_S", bound=Section)


class _Top:
    """Reads the top-level keys of a document, each with its own checks."""

    def __init__(self, doc: Located, base: Path):
        if not isinstance(doc.data, dict):
            raise doc.error(f"a grid is a mapping with the keys {', '.join(_KEYS)}")
        for key in doc.data:
            if key not in _KEYS:
                raise doc.error(f"unknown key {key!r}. {did_you_mean(key, _KEYS)}", key)
        for key in ("data", "blur", "noise", "solvers"):
            if key not in doc.data:
                raise doc.error(f"the key {key!r} is missing")
        self.doc, self.base, self.data = doc, base, doc.data
        if (path := limits.find_nan(doc.data)) is not None:
            raise doc.error("nan is not a value", *path)

    def name(self) -> str:
        name = str(self.data.get("name", Path(self.doc.file).stem))
        if not name or name.startswith(".") or not all(c.isalnum() or c in "._-" for c in name):
            raise self.doc.error(f"name must consist of letters, digits, '.', '_' and '-', got {name!r}", "name")
        if len(name) > limits.LONGEST_NAME:
            raise self.doc.error(f"name must have at most {limits.LONGEST_NAME} characters, got {len(name)}", "name")
        return name

    def number(self, key: str, default: int, least: int, most: int = limits.MOST) -> int:
        value = self.data.get(key, default)
        if not limits.is_count(value, least, most):
            allowed = f"a whole number of at least {least} and at most {most:,}"
            raise self.doc.error(f"{key} must be {allowed}, got {value!r}", key)
        return value

    def mapping(self, *path: str) -> dict[str, Any]:
        value: Any = self.data
        for key in path:
            value = value.get(key, {})
        if not isinstance(value, dict):
            raise self.doc.error(f"{'.'.join(path)} must be a mapping, got {value!r}", *path)
        return value

    def entries(self, key: str) -> list[tuple[str, dict[str, Any], tuple[str | int, ...]]]:
        """A list of ``name`` or ``name: {settings}`` as (name, settings, path)."""
        value = self.data[key]
        if not isinstance(value, list) or not value:
            raise self.doc.error(f"{key} must be a list with at least one entry", key)
        return [self._entry(item, (key, i)) for i, item in enumerate(value)]

    def _entry(self, item: Any, path: tuple[str | int, ...]) -> tuple[str, dict[str, Any], tuple[str | int, ...]]:
        if isinstance(item, str):
            return item, {}, path
        if isinstance(item, dict) and len(item) == 1:
            name, settings = next(iter(item.items()))
            if settings is None or isinstance(settings, dict):
                return name, dict(settings or {}), (*path, name)
        raise self.doc.error(f"expected a name, or name: {{settings}}, got {item!r}", *path)

    def section(self, key: str, model: type[_S]) -> _S:
        given = self.mapping(key)
        for name in given:
            if name not in model.model_fields:
                raise self.doc.error(
                    f"unknown key {name!r} in {key}. {did_you_mean(name, model.model_fields)}", key, name
                )
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise self.doc.error(f"{key}: {describe(error)}", key, *error.errors()[0]["loc"]) from error

    def variants(self, key: str, kind: Literal["operator", "noise"]) -> list[Variant]:
        found = [v for entry in self.entries(key) for v in self._expanded(kind, entry)]
        self._unique(key, [v.id for v in found])
        return found

    def _expanded(self, kind: Kind, entry: tuple[str, dict[str, Any], tuple[str | int, ...]]) -> list[Variant]:
        name, settings, path = entry
        self._bounded(settings, path)
        try:
            variants = expand(find_plugin(kind, name, self.base), settings, self.base)
        except GridError:
            raise
        except limits.NO_PATH as error:
            raise self.doc.error(
                f"{name[: limits.LONGEST_NAME]!r} or a path in it is none: {error}", *path
            ) from error
        except BenchError as error:
            culprit = next((k for k in settings if repr(k) in str(error) or f" {k}:" in str(error)), None)
            raise self.doc.error(str(error), *path, *([culprit] if culprit else [])) from error
        for v in variants:
            if (at := limits.find_nan(v.settings)) is not None:  # as a setting makes it of the text "nan"
                raise self.doc.error(f"{at[0]}: nan is not a value", *path, at[0])
        return variants

    def _bounded(self, settings: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
        if (n := limits.combinations(settings)) > limits.MOST:
            raise self.doc.error(f"{n:,} combinations; at most {limits.MOST:,} are planned", *path)

    def blurs(self) -> list[Blurring]:
        found: list[Blurring] = []
        for name, settings, path in self.entries("blur"):
            psfs, own = self._trajectories(settings.pop("trajectories", None), path)
            for v in self._expanded("operator", (name, settings, path)):
                random = bool(v.plugin.flags.get("random"))
                if not random and (psfs > 1 or own):
                    number = "trajectories of its own for every image" if own else f"{psfs} trajectories"
                    raise self.doc.error(f"{name} has one PSF: it cannot have {number}", *path)
                found.append(Blurring(v, psfs, random if own is None else own))
        self._unique("blur", [b.variant.id for b in found])
        return found

    def _trajectories(self, given: Any, path: tuple[str | int, ...]) -> tuple[int, bool | None]:
        """How many PSFs, and whether every image has its own; None where the grid leaves that open."""
        match given:
            case None:
                return 1, None
            case "own":
                return 1, True
            case {"own": n, **rest} if not rest and limits.is_count(n, 1, limits.MOST):
                return n, True
            case n if limits.is_count(n, 1, limits.MOST):
                return n, False
        raise self.doc.error(
            f"trajectories must be own or {{own: N}} (drawn for every image anew) or N (the same for all images), N "
            f"a whole number from 1 to {limits.MOST:,}, got {given!r}",
            *path,
        )

    def solvers(self, section: TuneSection) -> list[SolverEntry]:
        found: list[SolverEntry] = []
        for name, settings, path in self.entries("solvers"):
            tune, oracle = settings.pop("tune", None), settings.pop("oracle", None)
            for axes in (tune, oracle):
                self._bounded(axes if isinstance(axes, dict) else {}, path)
            for variant in self._expanded("solver", (name, settings, path)):
                try:
                    found.append(SolverEntry(variant, tuning_of(variant, tune, oracle, section.budget)))
                except SettingError as error:
                    raise self.doc.error(str(error), *path) from error
                except (TypeError, ValueError, OverflowError) as error:  # text where numbers should stand
                    raise self.doc.error(f"tune: cannot be understood: {error}", *path) from error
        self._unique("solvers", [s.label for s in found])
        return found

    def _unique(self, key: str, ids: list[str]) -> None:
        for i, count in Counter(ids).items():
            if count > 1:
                raise self.doc.error(f"{key} has two entries called {i!r}: give one of them an id", key)
            if not i.isprintable():
                raise self.doc.error(f"{key} has an entry called {i!r}: an id consists of printable characters", key)

    def sources(self, split: str) -> tuple[Source, ...]:
        """The datasets of a split: a mapping ``name: {settings}``, or a list of such, where a name may come twice."""
        value = self.mapping("data").get(split, {})
        if isinstance(value, list):
            entries = [self._entry(item, ("data", split, i)) for i, item in enumerate(value)]
        else:
            entries = [self._entry({k: v}, ("data", split)) for k, v in self.mapping("data", split).items()]
        plugged = [(self._dataset(name, path), settings, path) for name, settings, path in entries]
        ids = source_ids([(plugin.label, settings) for plugin, settings, _ in plugged])
        if twice := [i for i, n in Counter(ids).items() if n > 1]:
            raise self.doc.error(
                f"data.{split} has two datasets called {twice[0]!r}: give one of them an id", "data", split
            )
        if split == "test" and not ids:
            raise self.doc.error("data.test names no dataset", "data")
        return tuple(self._source(*entry, name) for entry, name in zip(plugged, ids, strict=True))

    def _dataset(self, name: str, path: tuple[str | int, ...]) -> Plugin:
        try:
            return find_plugin("dataset", name, self.base)
        except limits.NO_PATH as error:
            raise self.doc.error(f"{name[: limits.LONGEST_NAME]!r} is no path: {error}", *path) from error
        except BenchError as error:
            raise self.doc.error(str(error), *path) from error

    def _source(self, plugin: Plugin, settings: dict[str, Any], path: tuple[str | int, ...], id: str) -> Source:
        if not (is_id(id) and is_id(settings.get("id", id))):
            raise self.doc.error(f"id must be a name of printable characters without '/', got {id!r}", *path, "id")
        given = {k: v for k, v in settings.items() if k != "id"}
        try:
            resolved = resolve(plugin, from_folder(plugin, given, self.base))
        except limits.NO_PATH as error:
            raise self.doc.error(f"a path in it is none: {error}", *path) from error
        except BenchError as error:
            raise self.doc.error(str(error), *path) from error
        if limits.find_nan(resolved) is not None:
            raise self.doc.error("nan is not a value", *path)
        return Source(plugin, resolved, id)

    def metrics(self, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.data.get("metrics", list(default))
        if not isinstance(value, list) or not value:
            raise self.doc.error("metrics must be a list with at least one name", "metrics")
        for i, name in enumerate(value):
            if not isinstance(name, str) or name not in METRICS:
                raise self.doc.error(f"no metric is called {name!r}. {did_you_mean(name, METRICS)}", "metrics", i)
        return tuple(dict.fromkeys(value))

    def psf_errors(self) -> tuple[dict[str, float], ...]:
        value = self.data.get("psf_error", [{}])
        if not isinstance(value, list) or not value:
            raise self.doc.error("psf_error must be a list, as in [none, {rotate: 5}]", "psf_error")
        found: list[dict[str, float]] = []
        for i, item in enumerate(value):
            item = {} if item in (None, "none") else item
            if not isinstance(item, dict) or not all(map(limits.is_number, item.values())):
                raise self.doc.error(
                    f"expected none or a mapping such as {{rotate: 5}}, got {item!r}", "psf_error", i
                )
            for key in item:
                if key not in DISTORTIONS:
                    raise self.doc.error(
                        f"unknown key {key!r}. {did_you_mean(key, DISTORTIONS)}", "psf_error", i, key
                    )
            found.append({k: float(v) for k, v in item.items()})
            try:
                require_distortion(**found[-1])
            except SettingError as error:
                raise self.doc.error(str(error), "psf_error", i) from error
        return tuple(found)

    def sigma_factors(self) -> tuple[float, ...]:
        value = self.data.get("sigma_factor", [1.0])
        if not isinstance(value, list) or not value:
            raise self.doc.error("sigma_factor must be a list of positive numbers", "sigma_factor")
        for i, item in enumerate(value):
            if not limits.is_number(item) or not item > 0:
                raise self.doc.error(f"sigma_factor must be positive, got {item!r}", "sigma_factor", i)
        return tuple(float(v) for v in value)

    def expressions(self, key: str) -> tuple[Expression, ...]:
        value = self.data.get(key, [])
        if not isinstance(value, list):
            raise self.doc.error(f"{key} must be a list of expressions", key)
        found: list[Expression] = []
        for i, item in enumerate(value):
            if len(str(item)) > limits.LONGEST_CONDITION:
                raise self.doc.error(f"a condition has at most {limits.LONGEST_CONDITION} characters", key, i)
            try:
                found.append(Expression(str(item)))
            except SettingError as error:
                raise self.doc.error(str(error), key, i) from error
        return tuple(found)
