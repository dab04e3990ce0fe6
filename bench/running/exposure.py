"""Shot -> Measurement: look up the plug-ins, draw from keyed generators, blur, add noise. No torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.contracts import Dataset, Exposed, Noise, Operator
from bench.errors import DataError
from bench.grid.cells import Shot, instance
from bench.imaging.measure import Measurement, measure
from bench.imaging.psf import check_psf, distort
from bench.seeds import generator, generator_key


def expose(shot: Shot) -> tuple[Measurement, Exposed]:
    """The measurement of a shot and the PSF it was taken with. The same shot gives the same bytes, always."""
    dataset, operator, noise = (instance(r) for r in (shot.dataset, shot.degradation.blur, shot.degradation.noise))
    assert isinstance(dataset, Dataset)
    assert isinstance(operator, Operator)
    assert isinstance(noise, Noise)
    if operator.recorded:
        return _recorded(shot, dataset, noise)
    exposed = operator.psf(psf_generator(shot))
    check_psf(exposed.psf, shot.degradation.blur.name)
    rng = generator(shot.seed, "noise", *_place(shot))
    return measure(dataset.load(shot.image), exposed, noise, rng, shot.boundary), exposed


def psf_generator(shot: Shot) -> np.random.Generator:
    """The generator of a PSF: keyed by split and index, and by the image unless all images share their kernels.

    The operator's shared fields are not in the key, so that the exposures of an image share its path.
    """
    return generator(shot.seed, "psf", *shot.psf_draw)


def solver_key(shot: Shot, solver: str) -> int:
    """The key of a solver's own randomness: the same for all its settings, so that these compare pairwise.

    No code is in it, as it is in the shot's: what a sampler draws must not change with a comment's neighbour.
    """
    return generator_key(shot.seed, "solver", solver, *_place(shot), shot.boundary)


def _place(shot: Shot) -> list[object]:
    """What distinguishes a measurement within a seed: the image's content, blur and noise by class and settings."""
    blur, noise = shot.degradation.blur, shot.degradation.noise
    content = [[type(instance(r)).__name__, r.settings] for r in (blur, noise)]
    return [shot.image_sha, content, shot.split, shot.psf_index, shot.rep]


def assumed_psf(measurement: Measurement, shot: Shot) -> np.ndarray:
    """The PSF that the solver assumes: the true one, unless the grid asks for an error."""
    error = shot.degradation.psf_error
    return distort(measurement.psf, **error) if error else measurement.psf


def _recorded(shot: Shot, dataset: Dataset, noise: Noise) -> tuple[Measurement, Exposed]:
    recorded = getattr(dataset, "recorded", None)
    assert recorded is not None  # planned only for datasets that have it
    if shot.boundary != "valid":
        raise DataError("recorded measurements were not taken on a torus: use boundary: valid")
    m = recorded(shot.image)
    return replace(m, level=noise.level(m.T)), Exposed(m.psf, m.T)
