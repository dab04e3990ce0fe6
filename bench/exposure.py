"""Shot -> Measurement: look up the plug-ins, draw from keyed generators, blur, add noise. No torch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.cells import Ref, Shot
from bench.contracts import Dataset, Exposed, Noise, Operator
from bench.errors import DataError, PsfError
from bench.measure import Measurement, measure
from bench.plugins import load
from bench.psf import distort
from bench.seeds import canonical, generator
from bench.settings import build


@lru_cache(maxsize=64)
def _instance(kind: str, name: str, path: str | None, settings: str) -> object:
    import json

    ref = Ref(kind, name, path, json.loads(settings))  # type: ignore[arg-type]  # a Kind in the Ref that it came from
    return build(ref.plugin, load(ref.plugin), ref.settings)


def instance(ref: Ref) -> object:
    """The plug-in that a Ref means, built once per process."""
    return _instance(ref.kind, ref.name, ref.path, canonical(ref.settings))


def expose(shot: Shot) -> tuple[Measurement, Exposed]:
    """The measurement of a shot and the PSF it was taken with. The same shot gives the same bytes, always."""
    dataset, operator, noise = (instance(r) for r in (shot.dataset, shot.degradation.blur, shot.degradation.noise))
    assert isinstance(dataset, Dataset)
    assert isinstance(operator, Operator)
    assert isinstance(noise, Noise)
    if operator.recorded:
        return _recorded(shot, dataset, noise)
    exposed = operator.psf(psf_generator(shot, operator))
    check_psf(exposed.psf, shot.degradation.blur.name)
    rng = generator(shot.seed, "noise", *_place(shot))
    return measure(dataset.load(shot.image), exposed, noise, rng, shot.boundary), exposed


def psf_generator(shot: Shot, operator: Operator) -> np.random.Generator:
    """The generator of a PSF: keyed by split and index but not by image, and without the operator's shared fields."""
    settings = {k: v for k, v in shot.degradation.blur.settings.items() if k not in operator.shared}
    return generator(shot.seed, "psf", type(operator).__name__, settings, shot.split, shot.psf_index)


def solver_generator(shot: Shot, solver: str) -> np.random.Generator:
    """The generator of a solver's own randomness: the same for all its settings, so that these compare pairwise.

    No code is in its key, as it is in the shot's: what a sampler draws must not change with a comment's neighbour.
    """
    return generator(shot.seed, "solver", solver, *_place(shot), shot.boundary)


def _place(shot: Shot) -> list[object]:
    """What distinguishes a measurement within a seed: the image's content, blur and noise by class and settings."""
    blur, noise = shot.degradation.blur, shot.degradation.noise
    content = [[type(instance(r)).__name__, r.settings] for r in (blur, noise)]
    return [shot.image_sha, content, shot.split, shot.psf_index, shot.rep]


def told_psf(measurement: Measurement, shot: Shot) -> np.ndarray:
    """The PSF that the solver is told: the true one, unless the grid asks for an error."""
    error = shot.degradation.psf_error
    return distort(measurement.psf, **error) if error else measurement.psf


def check_psf(psf: np.ndarray, name: str) -> None:
    """Raise PsfError unless ``psf`` keeps the contract of an Operator."""
    if psf.ndim != 2 or psf.shape[0] % 2 == 0 or psf.shape[1] % 2 == 0 or psf.dtype != np.float64:
        raise PsfError(f"{name}: a PSF must be float64 (h, w) with odd sides, got {psf.dtype} {psf.shape}")
    if not np.isfinite(psf).all() or psf.min() < 0 or abs(psf.sum() - 1) > 1e-9:
        raise PsfError(
            f"{name}: a PSF must be finite, non-negative and sum to 1, got {psf.min():g} and {psf.sum():g}"
        )


def _recorded(shot: Shot, dataset: Dataset, noise: Noise) -> tuple[Measurement, Exposed]:
    recorded = getattr(dataset, "recorded", None)
    assert recorded is not None  # planned only for datasets that have it
    if shot.boundary != "valid":
        raise DataError("recorded measurements were not taken on a torus: use boundary: valid")
    m = recorded(shot.image)
    level = noise.level(m.T)
    return Measurement(y=m.y, truth=m.truth, psf=m.psf, T=m.T, level=level), Exposed(m.psf, m.T)
