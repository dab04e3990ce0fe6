"""Grid -> cells: every combination of setting, image, PSF, repetition and solver, each with its content key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal

from bench.contracts import Dataset, Operator
from bench.errors import WeightsError
from bench.grid.cells import Cell, Degradation, Phase, Ref, Shot, error_id, instance
from bench.grid.conditions import Expression
from bench.grid.image_index import ImageIndex, Indexed
from bench.grid.schema import Grid, SolverEntry, Source
from bench.grid.variants import Variant
from bench.plugins import calibrations
from bench.plugins.code_digest import code_of, harness_digest
from bench.plugins.contents import keyed, unverified
from bench.plugins.describe import Plugin
from bench.plugins.weights import find_weights, sha256
from bench.seeds import digest

#: what ``exclude`` and ``--only`` may ask about an image; images of the validation split are never left out
OF_IMAGE = ("image", "dataset", "group")


@dataclass(frozen=True)
class Setting:
    """One degradation of the grid."""

    degradation: Degradation
    psfs: int
    blur: Variant
    noise: Variant
    own: bool = False

    @property
    def id(self) -> str:
        """Its name in tables."""
        return self.degradation.setting

    @cached_property
    def names(self) -> dict[str, Any]:
        """What an expression may ask about it."""
        return {
            **self.noise.settings,
            **self.blur.settings,
            "blur": self.blur.base,
            "blur_id": self.blur.id,
            "noise": self.noise.id,
            "psf_error": error_id(self.degradation.psf_error),
            "sigma_factor": self.degradation.sigma_factor,
            "setting": self.id,
        }

    @cached_property
    def recorded(self) -> bool:
        """Whether the dataset brings measurement and PSF."""
        return bool(self.blur.plugin.flags.get("recorded"))

    @cached_property
    def content(self) -> list[Any]:
        """What the measurement depends on; ids, paths and what the solver is given in their place are not in it.

        Builds the operator, so that what its settings leave to be checked is checked before anything runs.
        """
        operator = instance(self.degradation.blur)
        assert isinstance(operator, Operator)
        outside = operator.fingerprint()
        settings = {k: v for k, v in self.blur.settings.items() if outside is None or k != "path"}
        return [[*_keyed(self.blur.plugin, settings), outside], _keyed(self.noise.plugin, self.noise.settings)]

    @cached_property
    def unverified(self) -> str:
        """What of the code of blur and noise cannot be followed."""
        return _joined(unverified(v.plugin, v.settings) for v in (self.blur, self.noise))


def _keyed(plugin: Plugin, settings: Mapping[str, Any]) -> list[Any]:
    """A plug-in with its settings as keys hold them."""
    code = code_of(plugin)
    return [code.digest, code.packages, plugin.class_name, keyed(plugin, settings)]


def _parts_of(ref: Ref) -> dict[str, str]:
    """A solver's or a prior's code, settings and files as parts of a key: theme -> hash."""
    contents = keyed(ref.plugin, ref.settings)
    files = {n: v for n, v in contents.items() if v != ref.settings[n]}
    parts = {
        f"{ref.kind} code": code_of(ref.plugin).digest[:16],
        f"{ref.kind} settings": digest({n: None if n in files else v for n, v in ref.settings.items()})[:16],
    }
    if "weights" in ref.settings and (weights := ref.settings["weights"]):
        parts["weights"] = _weights_sha(weights, files.get("weights"))
    if files:
        parts["files" if ref.kind == "solver" else f"{ref.kind} files"] = digest(files)[:16]
    return parts


def _weights_sha(name: Any, content: Any) -> str:
    """sha256 of what a parameter ``weights`` names. Raises WeightsError where there is no such file or folder."""
    try:
        return sha256(find_weights(str(name)))
    except WeightsError:
        if isinstance(content, dict):  # a folder, as other people's networks come in
            return content["content"]
        raise


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(r for r in reasons if r))


def settings_of(grid: Grid) -> list[Setting]:
    """Every degradation of a grid, in the order of the file."""
    settings = []
    for blurring, noise, error, factor in product(grid.blurs, grid.noises, grid.psf_errors, grid.sigma_factors):
        blur = blurring.variant
        parts = [blur.id, noise.id]
        if len(grid.psf_errors) > 1 or error:
            parts.append(f"psf {error_id(error)}")
        if len(grid.sigma_factors) > 1 or factor != 1:
            parts.append(f"σ×{factor:g}")
        degradation = Degradation(
            setting=" · ".join(parts),
            blur=Ref.of(blur.plugin, blur.settings),
            blur_id=blur.id,
            noise=Ref.of(noise.plugin, noise.settings),
            noise_id=noise.id,
            psf_error=error,
            sigma_factor=factor,
        )
        settings.append(Setting(degradation, blurring.psfs, blur, noise, blurring.own))
    return settings


class Planner:
    """Makes the cells of a grid.

    Args:
        grid: what was asked for.
        index: knows the ids and hashes of the images.
        only: keep the cells for which this holds.
        limit: at most so many images per dataset.
    """

    def __init__(self, grid: Grid, index: ImageIndex, only: Expression | None = None, limit: int | None = None):
        self.grid, self.index, self.only, self.limit = grid, index, only, limit
        self.settings = settings_of(grid)
        self._protocol = grid.protocol.model_dump()
        self._open_ends: dict[Ref, str] = {}
        self._knows_psf: dict[Ref, bool] = {}
        self._shots: dict[tuple[str, str], list[tuple[Shot, bool]]] = {}

    @cached_property
    def _nothing(self) -> dict[str, None]:
        """Every name that some setting has: None where a setting lacks it."""
        return dict.fromkeys(n for s in self.settings for n in s.names)

    def wanted(self, setting: Setting, entry: SolverEntry) -> bool:
        """Whether ``exclude`` and ``--only`` let this pair pass, and some measurement has what the solver asks for.

        Raises SettingError for unknown names.
        """
        if not any(self._can_solve(entry, setting, Ref.of(s.plugin, s.settings)) for s in self.grid.test):
            return False
        if self._asks_images:
            return any(self._passes(setting, entry, shot) for shot, _ in self.shots(setting, "test"))
        return self._passes(setting, entry)

    @cached_property
    def _asks_images(self) -> bool:
        expressions = [*self.grid.exclude, *([self.only] if self.only else [])]
        return any(e.names & set(OF_IMAGE) for e in expressions)

    def _passes(self, setting: Setting, entry: SolverEntry, shot: Shot | None = None) -> bool:
        """Whether ``exclude`` and ``--only`` hold for a solver in a setting, on a shot if they ask about that."""
        about = (None,) * 3 if shot is None else (shot.image, shot.dataset_id, shot.group)
        names = {**self._nothing, **setting.names, **entry.names, **dict(zip(OF_IMAGE, about, strict=True))}
        return not any(e(names) for e in self.grid.exclude) and (self.only is None or self.only(names))

    def _can_solve(self, entry: SolverEntry, setting: Setting, dataset: Ref) -> bool:
        """Whether the PSF is known where the solver asks for it."""
        if entry.variant.plugin.flags.get("blind") or not setting.recorded:
            return True
        if dataset not in self._knows_psf:
            plugin = instance(dataset)
            assert isinstance(plugin, Dataset)
            self._knows_psf[dataset] = plugin.knows_psf()
        return self._knows_psf[dataset]

    @cached_property
    def left_out(self) -> list[str]:
        """Sentences about solvers that have no cells on a dataset, because its PSFs are not known."""
        recorded = [s for s in self.settings if s.recorded]
        sentences = []
        for source in self.grid.test if recorded else ():
            dataset = Ref.of(source.plugin, source.settings)
            labels = [e.label for e in self.grid.solvers if not self._can_solve(e, recorded[0], dataset)]
            if labels:
                names = f"{', '.join(labels)} {'asks' if len(labels) == 1 else 'ask'}"
                sentences.append(
                    f"left out on {source.id}, whose PSF nobody knows: {names} for it (psf: FILE in data names one)"
                )
        return sentences

    def groups(self, entry: SolverEntry) -> list[list[Setting]]:
        """The wanted settings, grouped by the axes of ``tune.per``: one choice of tuned values for each group."""
        groups: dict[tuple[str, ...], list[Setting]] = {}
        for s in self.settings:
            if self.wanted(s, entry):
                d = s.degradation
                axes = {
                    "blur": s.blur.id,
                    "noise": s.noise.id,
                    "psf_error": error_id(d.psf_error),
                    "sigma_factor": f"{d.sigma_factor:g}",
                }
                groups.setdefault(tuple(axes[a] for a in self.grid.tune.per), []).append(s)
        return list(groups.values())

    def cells(
        self,
        phase: Phase,
        entry: SolverEntry,
        settings: Sequence[Setting],
        candidate: Mapping[str, Any] | None = None,
        tuning: Literal["val", "oracle"] | None = None,
        shot: str | None = None,
    ) -> Iterator[Cell]:
        """The cells of a solver with one candidate on the phase's split, or on the shot of that key alone."""
        solver = Ref.of(entry.variant.plugin, {**entry.variant.settings, **(candidate or {})})
        prior = None if entry.prior is None else Ref.of(entry.prior.plugin, entry.prior.settings)
        calibration = None if prior is None else calibrations.in_use(prior.plugin, prior.settings)
        parts = self._parts(phase, solver, prior)
        if calibration is not None:
            parts["calibration"] = digest(calibrations.read(calibration)["error"])[:16]
        samples = int(parts.get("samples", 1))
        own = (unverified(r.plugin, r.settings) for r in (solver, prior) if r is not None)
        open_ends = _joined([*own, self._metrics[1]])
        for setting in settings:
            mismatch = digest([setting.degradation.psf_error, setting.degradation.sigma_factor])[:16]
            for exposed, keep in self.shots(setting, "val" if phase == "val" else "test"):
                if shot is not None and exposed.key != shot:
                    continue
                if not self._can_solve(entry, setting, exposed.dataset):
                    continue
                if self._asks_images and phase != "val" and not self._passes(setting, entry, exposed):
                    continue
                cell_parts = {**parts, "mismatch": mismatch, "measurement": exposed.key[:16]}
                yield Cell(
                    key=digest(cell_parts),
                    shot=exposed,
                    phase=phase,
                    label=entry.label,
                    solver=solver,
                    parts=cell_parts,
                    protocol=self._protocol,
                    measures=self.grid.measures,
                    candidate=None if candidate is None else dict(candidate),
                    tuning=tuning,
                    samples=samples,
                    unverified=_joined([open_ends, setting.unverified, self._unverified(exposed.dataset)]),
                    keep=keep and phase != "val",
                    prior=prior,
                    prior_id=None if entry.prior is None else entry.prior.id,
                    calibration=None if calibration is None else str(calibration),
                )

    def _parts(self, phase: Phase, solver: Ref, prior: Ref | None) -> dict[str, str]:
        """What the keys of a solver's cells are made of, whatever is measured: theme -> hash."""
        packages = code_of(solver.plugin).packages
        parts = {
            **_parts_of(solver),
            "packages": digest(packages)[:16],
            "harness code": harness_digest()[:16],
            "protocol": digest(self._protocol)[:16],
            "metrics": self._metrics[0],
        }
        if (samples := self.grid.draws(phase) if solver.plugin.flags.get("stochastic") else 1) > 1:
            parts["samples"] = str(samples)
        if prior is not None:
            every = sorted({*packages, *code_of(prior.plugin).packages})
            parts |= {**_parts_of(prior), "packages": digest(every)[:16]}
        return parts

    @cached_property
    def _metrics(self) -> tuple[str, str]:
        """Hash of what is measured, code and settings; and what of that code cannot be followed.

        Builds the metrics, so that what their settings leave to be checked is checked before anything runs.
        """
        contents, reasons = [], []
        for m in self.grid.measures:
            instance(m.metric)
            contents.append([m.name, m.of_mean, *_keyed(m.metric.plugin, m.metric.settings)])
            reasons.append(unverified(m.metric.plugin, m.metric.settings))
        return digest(contents)[:16], _joined(reasons)

    def _unverified(self, dataset: Ref) -> str:
        if dataset not in self._open_ends:
            self._open_ends[dataset] = unverified(dataset.plugin, dataset.settings)
        return self._open_ends[dataset]

    def shots(self, setting: Setting, split: Literal["val", "test"]) -> list[tuple[Shot, bool]]:
        """The exposures of a setting, and whether the estimates on each are stored as pictures."""
        if (setting.id, split) not in self._shots:
            sources = self.grid.val if split == "val" else self.grid.test
            self._shots[setting.id, split] = [
                (
                    self._shot(setting, split, source, image, k, rep),
                    k == rep == 0 and image.rank < self.grid.run.images,
                )
                for source in sources
                for image in self.index.images(source)[: self.limit]
                for k, rep in product(range(setting.psfs), range(self.grid.repetitions))
            ]
        return self._shots[setting.id, split]

    def _shot(
        self,
        setting: Setting,
        split: Literal["val", "test"],
        source: Source,
        image: Indexed,
        psf_index: int,
        rep: int,
    ) -> Shot:
        boundary = self.grid.protocol.boundary
        recorded = self.index.recorded_sha(source, image.id) if setting.recorded else None
        drawn = [psf_index, "own"] if setting.own else psf_index
        return Shot(
            key=digest([self.grid.seed, image.sha, recorded, setting.content, split, drawn, rep, boundary]),
            degradation=setting.degradation,
            dataset=Ref.of(source.plugin, source.settings),
            dataset_id=source.id,
            image=image.id,
            image_sha=image.sha,
            split=split,
            psf_index=psf_index,
            rep=rep,
            seed=self.grid.seed,
            boundary=boundary,
            own_psf=setting.own,
            group=image.group,
        )
