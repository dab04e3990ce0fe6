"""What is wrong with a grid although each of its entries can be understood: what only their company shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.contracts import Operator
from bench.errors import BenchError, WeightsError, did_you_mean
from bench.grid.cells import Ref, instance
from bench.grid.limits import Path_
from bench.grid.planner import OF_IMAGE, Setting, settings_of
from bench.grid.schema import Grid, SolverEntry, Source
from bench.plugins.weights import find_weights, kind_of
from bench.scoring.registry import describe
from bench.seeds import generator

#: where entries stand in the file: (key, label) -> path
Places = Mapping[tuple[str, str], Path_]
Mistake = tuple[str, Path_]


def mistakes_of(grid: Grid, places: Places, psnr: str) -> Iterator[Mistake]:
    """Each mistake and where it stands: names that nothing has, files that are no kernels, pairs that cannot be.

    Args:
        places: of the entries.
        psnr: the metric that tuning takes where the grid names none.
    """
    yield from _sharp(grid, grid.tune.metric or psnr)
    settings = settings_of(grid)
    yield from _names(grid, settings)
    yield from _denoisers(grid, settings, places)
    yield from _kernels(grid, places)
    yield from _weights(grid, places)


def _sharp(grid: Grid, judge: str) -> Iterator[Mistake]:
    """Pictures without sharp versions: they can be neither blurred nor tuned on by what compares with the truth."""
    if describe(judge).needs_truth and any(s.tuning for s in grid.solvers):
        oracle = any(s.tuning and s.tuning.oracle for s in grid.solvers)
        for split, sources in (("val", grid.val), *([("test", grid.test)] if oracle else [])):
            if name := _unsharp(sources):
                text = f"{name} has no sharp pictures, which tuning by {judge} needs"
                yield f"{text}; metric: residual_chi2 in tune needs none", ("data", split)
    blurs = [b.variant.id for b in grid.blurs if not b.variant.plugin.flags.get("recorded")]
    if blurs and (name := _unsharp((*grid.test, *grid.val))):
        yield (
            f"{name} has photographs that are blurred already: with it, blur is [recorded], not {blurs[0]}",
            ("blur",),
        )


def _unsharp(sources: tuple[Source, ...]) -> str:
    """The first of the datasets whose pictures are not sharp; "" if all are."""
    return next((s.id for s in sources if not s.plugin.flags.get("sharp", True)), "")


def _names(grid: Grid, settings: Sequence[Setting]) -> Iterator[Mistake]:
    """What ``exclude`` asks about and nothing has."""
    known = {*OF_IMAGE} | {n for about in (*settings, *grid.solvers) for n in about.names}
    for i, expression in enumerate(grid.exclude):
        for name in sorted(expression.names - known):
            yield f"{expression.text!r}: unknown name {name!r}. {did_you_mean(name, known)}", ("exclude", i)


def _denoisers(grid: Grid, settings: Sequence[Setting], places: Places) -> Iterator[Mistake]:
    """Solvers that remove noise alone, in a setting with a blur that nothing excludes."""
    for entry in grid.solvers:
        blurred = (s for s in settings if s.blur.plugin.module and s.blur.base != "identity")
        if not entry.variant.plugin.flags.get("denoises"):
            continue
        if setting := next((s for s in blurred if not _excluded(grid, s, entry)), None):
            text = f"{entry.label} removes noise alone: blur is identity for it, not {setting.blur.id}"
            yield f"{text} (exclude leaves pairs out)", places["solvers", entry.label]


def _excluded(grid: Grid, setting: Setting, entry: SolverEntry) -> bool:
    about: dict[str, Any] = {**entry.names, **setting.names}
    return any(e.names <= set(about) and e(about) for e in grid.exclude)


def _kernels(grid: Grid, places: Places) -> Iterator[Mistake]:
    """Files of the built-in operator ``file`` that hold no PSF."""
    for blur in (b.variant for b in grid.blurs if b.variant.plugin.module and b.variant.plugin.name == "file"):
        try:
            operator = instance(Ref.of(blur.plugin, blur.settings))
            assert isinstance(operator, Operator)
            operator.psf(generator("a look at the file"))
        except BenchError as error:
            yield str(error), places["blur", blur.id]


def _weights(grid: Grid, places: Places) -> Iterator[Mistake]:
    """Weights of another kind than a solver takes. Files that are not there yet are missed when cells are planned."""
    for entry in grid.solvers:
        wanted, name = entry.variant.plugin.flags.get("weights_kind"), entry.variant.settings.get("weights")
        try:
            path = find_weights(str(name)) if wanted and name else None
        except WeightsError:
            continue
        if path is not None and (kind := kind_of(path)) != wanted:
            held = "are not of this project" if kind is None else f"are those of a {kind}"
            yield f"{entry.label} takes weights of a {wanted}; {name} {held}", places["solvers", entry.label]
