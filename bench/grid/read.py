"""grid.yaml -> Grid: what to compare, on what, under which protocol. Every error names file and line.

``bench.grid.document`` says what the top level may be; here names become plug-ins and entries variants. All mistakes
of a file are listed at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bench.errors import BenchError, GridError, SettingError
from bench.files import path_or_shipped
from bench.grid import limits
from bench.grid.candidates import tuning_of
from bench.grid.cells import Measure
from bench.grid.document import ALLOWED, Document, validate
from bench.grid.limits import Path_
from bench.grid.metrics import measures_of, with_expected, with_samples
from bench.grid.priors import prior_variants, refuse_weights
from bench.grid.schema import PSNR, Blurring, Grid, SolverEntry, Source, TuneSection
from bench.grid.source_ids import is_id, source_ids
from bench.grid.variants import Variant, expand
from bench.grid.whole import mistakes_of
from bench.grid.yaml import Located, read_yaml
from bench.plugins.contents import from_folder
from bench.plugins.describe import Kind, Plugin
from bench.plugins.lookup import find_plugin
from bench.plugins.settings import resolve

#: mistakes that are listed; whoever made more begins with these
MOST_MISTAKES = 20


def find_grid(name: str) -> Path:
    """The grid file that ``name`` means: a path, or a shipped grid. Raises GridError."""
    return path_or_shipped(name, "grids", ".yaml", GridError)


def read_grid(path: Path, base: Path | None = None) -> Grid:
    """Read and validate a grid file. Raises GridError with file, line, what is allowed and a guess.

    Args:
        base: the folder that relative paths start from; by default the file's own.
    """
    return parse_grid(read_yaml(path), base or path.resolve().parent)


def parse_grid(doc: Located, base: Path) -> Grid:
    """Validate a parsed document; relative paths in it start from ``base``. Raises GridError with every mistake."""
    if not isinstance(doc.data, dict):
        raise doc.error(f"a grid is a mapping with the keys {', '.join(Document.model_fields)}")
    if (path := limits.find_nan(doc.data)) is not None:
        raise doc.error("nan is not a value", *path)
    document, mistakes = validate(doc.data)
    entries = _Entries(doc, base, document)
    for path, text in mistakes:
        entries.wrong(text, *path)
    measures = with_expected(entries.measures(document.tune))
    several = max(document.samples, document.tune.samples or 1) > 1
    grid = Grid(
        name=document.name or Path(doc.file).stem,
        study=document.study,
        seed=document.seed,
        test=entries.sources("test"),
        val=entries.sources("val"),
        blurs=tuple(entries.blurs()),
        noises=tuple(entries.noises()),
        psf_errors=tuple(d.given for d in document.psf_error),
        sigma_factors=tuple(document.sigma_factor),
        solvers=tuple(entries.solvers(document.tune)),
        exclude=tuple(document.exclude),
        repetitions=document.repetitions,
        samples=document.samples,
        tune=document.tune,
        measures=with_samples(measures) if several else measures,
        protocol=document.protocol,
        run=document.run,
        text=doc.text,
        base=base,
    )
    entries.check_size(grid)
    entries.raise_all()
    return grid


class Entry(NamedTuple):
    """``name`` or ``name: {settings}`` and where it stands."""

    name: str
    settings: dict[str, Any]
    path: Path_


class _Entries:
    """Makes plug-ins and variants of the entries of a document, and notes what is wrong with them."""

    def __init__(self, doc: Located, base: Path, document: Document):
        self.doc, self.base, self.document = doc, base, document
        self.mistakes: list[tuple[int, str]] = []
        self.keys: set[str | int] = set()  # of the file, that hold a mistake
        self.places: dict[tuple[str, str], Path_] = {}

    def wrong(self, text: str, *path: str | int) -> None:
        """Note a mistake."""
        self.keys.add(path[0] if path else "")
        self.mistakes.append((self.doc.line(*path), f"{self.doc.where(*path)}: {text}"))

    def raise_all(self) -> None:
        """Raise GridError with every mistake in the order of the file, if there are any."""
        texts = list(dict.fromkeys(text for _, text in sorted(self.mistakes, key=lambda m: m[0])))
        if more := len(texts) - MOST_MISTAKES:
            texts = [*texts[:MOST_MISTAKES], *([f"... and {more} more"] if more > 0 else [])]
        if texts:
            raise GridError("\n".join(texts))

    @contextmanager
    def noting(self, name: str, *path: str | int) -> Iterator[None]:
        """Note what is raised about an entry, at the line of the setting that it is about."""
        try:
            yield
        except SettingError as error:
            for setting, text in error.parts:
                self.wrong(text, *path, *([setting] if setting else []))
        except BenchError as error:
            self.wrong(str(error), *path)
        except (*limits.NO_PATH, TypeError, OverflowError) as error:  # no path, or text where numbers should stand
            self.wrong(f"{name[: limits.LONGEST_NAME]!r} cannot be understood: {error}", *path)

    # --- entries ------------------------------------------------------------------------------------------------

    def entries(self, key: Literal["blur", "noise", "solvers", "metrics"]) -> Iterator[Entry]:
        """The entries of a list that can be read."""
        items: list[Any] = getattr(self.document, key)
        if not items and self.doc.data.get(key) == []:
            self.wrong(f"{key} must be {ALLOWED[key]}", key)
        for i, item in enumerate(items):
            entry = _entry(item, (key, i))
            if entry is None:
                self.wrong(f"expected a name, or name: {{settings}}, got {str(item)[:200]!r}", key, i)
            else:
                yield entry

    def expanded(self, kind: Kind, entry: Entry) -> list[Variant]:
        """The variants of an entry; none where it is wrong."""
        with self.noting(entry.name, *entry.path):
            _require_few(entry.settings)
            variants = expand(find_plugin(kind, entry.name, self.base), entry.settings, self.base)
            for v in variants:
                if (at := limits.find_nan(v.settings)) is not None:  # as a parameter makes it of the text "nan"
                    raise SettingError(parts=[(str(at[0]), f"{at[0]}: nan is not a value")])
            return variants
        return []

    def blurs(self) -> list[Blurring]:
        """Operators, each with its number of PSFs."""
        blurs: list[Blurring] = []
        for name, settings, path in self.entries("blur"):
            with self.noting(name, *path):
                psfs, own = _trajectories(settings.pop("trajectories", None))
                for v in self.expanded("operator", Entry(name, settings, path)):
                    random = bool(v.plugin.flags.get("random"))
                    if not random and (psfs > 1 or own):
                        number = "trajectories of its own for every image" if own else f"{psfs} trajectories"
                        raise SettingError(f"{name} has one PSF: it cannot have {number}")
                    blurs.append(Blurring(v, psfs, random if own is None else own))
                    self.places["blur", v.id] = path
        self.unique("blur", [b.variant.id for b in blurs])
        return blurs

    def noises(self) -> list[Variant]:
        """Noise models."""
        noises = [v for entry in self.entries("noise") for v in self.expanded("noise", entry)]
        self.unique("noise", [v.id for v in noises])
        return noises

    def solvers(self, section: TuneSection) -> list[SolverEntry]:
        """Solvers with what is to be tuned about them."""
        solvers: list[SolverEntry] = []
        for name, settings, path in self.entries("solvers"):
            tune, oracle = settings.pop("tune", None), settings.pop("oracle", None)
            priors = self.priors(name, settings, path)
            for prior, variant in product(priors, self.expanded("solver", Entry(name, settings, path))):
                label = f"{variant.id} · {prior.id}" if prior is not None and len(priors) > 1 else variant.id
                with self.noting(f"{name}: tune", *path):
                    for axes in (tune, oracle):
                        _require_few(axes if isinstance(axes, dict) else {})
                    tuning = tuning_of(variant, tune, oracle, section.budget, self.base)
                    solvers.append(SolverEntry(variant, tuning, label, prior))
                    self.places["solvers", label] = path
        self.unique("solvers", [s.label for s in solvers])
        return solvers

    def priors(self, name: str, settings: dict[str, Any], path: Path_) -> Sequence[Variant | None]:
        """The priors that a solver runs with: its own, else the grid's; None for one that needs no prior."""
        with self.noting(name, *path):
            plugin = find_plugin("solver", name, self.base)
            if not plugin.flags.get("needs_prior"):
                return [None]
            refuse_weights(plugin, settings)
            if "prior" not in settings:
                return self.shared_priors
            with self.noting(name, *path, "prior"):
                return prior_variants(settings.pop("prior"), self.base)
        return []

    @cached_property
    def shared_priors(self) -> list[Variant]:
        """Those of all solvers that name none."""
        with self.noting("prior", "prior"):
            return prior_variants(self.document.prior, self.base)
        return []

    def measures(self, section: TuneSection) -> tuple[Measure, ...]:
        """What is measured: what the grid names, what solvers are tuned on, and always PSNR."""
        measures: list[Measure] = []
        for name, settings, path in self.entries("metrics"):
            with self.noting(name, *path):
                _require_few(settings)
                measures += measures_of(name, settings, self.base)
        measures = list(dict.fromkeys(measures))
        self.unique("metrics", [m.name for m in measures])
        for name, path in ((section.metric or PSNR, ("tune", "metric")), (PSNR, ("metrics",))):
            if name not in [m.name for m in measures]:
                with self.noting(name, *path):
                    measures += measures_of(name, {}, self.base)
        return tuple(measures)

    def unique(self, key: str, ids: list[str]) -> None:
        """Note ids that stand twice, or cannot be printed."""
        for i, count in Counter(ids).items():
            if count > 1:
                self.wrong(f"{key} has two entries called {i!r}: give one of them an id", key)
            if not i.isprintable():
                self.wrong(f"{key} has an entry called {i!r}: an id consists of printable characters", key)

    def sources(self, split: Literal["test", "val"]) -> tuple[Source, ...]:
        """The datasets of a split: a mapping ``name: {settings}``, or a list of such, where a name may come twice."""
        entries = list(self._datasets(split))
        ids = source_ids([(plugin.label, entry.settings) for plugin, entry in entries])
        if twice := [i for i, n in Counter(ids).items() if n > 1]:
            self.wrong(f"data.{split} has two datasets called {twice[0]!r}: give one of them an id", "data", split)
        sources: list[Source] = []
        for (plugin, entry), name in zip(entries, ids, strict=True):
            with self.noting(entry.name, *entry.path):
                sources.append(self._source(plugin, entry.settings, name))
        if split == "test" and not getattr(self.document.data, split) and isinstance(self.doc.data.get("data"), dict):
            self.wrong("data.test names no dataset", "data")
        return tuple(sources)

    def _datasets(self, split: str) -> Iterator[tuple[Plugin, Entry]]:
        value = getattr(self.document.data, split)
        listed = isinstance(value, list)
        for i, item in enumerate(value if listed else [{k: v} for k, v in value.items()]):
            path = ("data", split, i) if listed else ("data", split)
            entry = _entry(item, path)
            if entry is None:
                name = next(iter(item), "name") if isinstance(item, dict) and not listed else "a name, or name"
                self.wrong(f"expected {name}: {{settings}}, got {str(item)[:200]!r}", *path)
            else:
                with self.noting(entry.name, *entry.path):
                    yield find_plugin("dataset", entry.name, self.base), entry

    def _source(self, plugin: Plugin, settings: dict[str, Any], name: str) -> Source:
        if not (is_id(name) and is_id(settings.get("id", name))):
            text = f"id must be a name of printable characters without '/', got {name!r}"
            raise SettingError(parts=[("id", text)])
        given = {k: v for k, v in settings.items() if k != "id"}
        resolved = resolve(plugin, from_folder(plugin, given, self.base))
        if limits.find_nan(resolved) is not None:
            raise SettingError("nan is not a value")
        return Source(plugin, resolved, name)

    def check_size(self, grid: Grid) -> None:
        """Note what only the whole shows: tuning without images for it, too many degradations, nothing to blur."""
        if not self.document.data.val and any(s.tuning and not s.tuning.oracle for s in grid.solvers):
            self.wrong("solvers are tuned, but data has no val: tuning never looks at test images", "data")
        settings = len(grid.blurs) * len(grid.noises) * len(grid.psf_errors) * len(grid.sigma_factors)
        if settings > limits.MOST_SETTINGS:
            self.wrong(f"{settings:,} degradations; at most {limits.MOST_SETTINGS:,} are planned", "blur")
        if not {"blur", "noise", "solvers", "data"} & self.keys:  # else what follows would follow from those
            for text, path in mistakes_of(grid, self.places, PSNR):
                self.wrong(text, *path)


def _entry(item: Any, path: Path_) -> Entry | None:
    if isinstance(item, str):
        return Entry(item, {}, path)
    if isinstance(item, dict) and len(item) == 1:
        name, settings = next(iter(item.items()))
        if settings is None or isinstance(settings, dict):
            return Entry(name, dict(settings or {}), (*path, name))
    return None


def _trajectories(given: Any) -> tuple[int, bool | None]:
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
    raise SettingError(
        f"trajectories must be own or {{own: N}} (drawn for every image anew) or N (the same for all images), N "
        f"a whole number from 1 to {limits.MOST:,}, got {given!r}"
    )


def _require_few(settings: Mapping[str, Any]) -> None:
    if (n := limits.combinations(settings)) > limits.MOST:
        raise SettingError(f"{n:,} combinations; at most {limits.MOST:,} are planned")
