"""The degradation of a recipe: a grid's blur and noise sections, drawn from for every training crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.contracts import Exposed, Image, Noise, Operator
from bench.grid.variants import variants
from bench.imaging.measure import Measurement, measure
from bench.imaging.psf import check_psf
from bench.plugins.lookup import load_plugin
from bench.plugins.settings import build
from bench.seeds import generator

if TYPE_CHECKING:
    from bench.grid.variants import Variant
    from bench.train.recipe.restoration import Degradation


@dataclass
class Exposures:
    """Draws measurements of scenes: blur, PSF and noise from the generator of each.

    The PSFs of an operator are a fixed pool, keyed as a grid's are, but by the recipe's seed and the split "train"
    unless the section says otherwise; each is made when it is first drawn.
    """

    section: Degradation
    seed: int
    _psfs: dict[tuple[int, int], Exposed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.blurs = [(_built(v), v, n) for v, n in variants("operator", self.section.blur)]
        self.noises = [_built(v) for v, _ in variants("noise", self.section.noise)]

    def __call__(self, frames: Sequence[np.ndarray], rng: np.random.Generator) -> Measurement:
        """A measurement of the middle frame, each (C, H + 2 margin, W + 2 margin) in [0, 1], with those around it."""
        exposed, noise = self.draw(rng)
        room, boundary = self.section.room, self.section.boundary
        scene, burst = frames[len(frames) // 2], np.stack(frames) if len(frames) > 1 else None
        return measure(Image("training", scene, room, burst), exposed, noise, rng, boundary)

    def draw(self, rng: np.random.Generator) -> tuple[Exposed, Noise]:
        """A PSF and a noise model."""
        which = int(rng.integers(len(self.blurs)))
        exposed = self.psf(which, int(rng.integers(self.blurs[which][2])))
        noise = self.noises[int(rng.integers(len(self.noises)))]
        assert isinstance(noise, Noise)
        return exposed, noise

    def psf(self, which: int, k: int) -> Exposed:
        """PSF number k of a variant: the same trajectory for settings that differ in shared fields alone."""
        if (which, k) not in self._psfs:
            operator, variant, _ = self.blurs[which]
            assert isinstance(operator, Operator)
            settings = {name: v for name, v in variant.settings.items() if name not in operator.shared}
            seed = self.seed if self.section.psf_seed is None else self.section.psf_seed
            rng = generator(seed, "psf", type(operator).__name__, settings, self.section.split, k)  # as psf_generator
            exposed = operator.psf(rng)
            check_psf(exposed.psf, variant.id)
            self._psfs[which, k] = exposed
        return self._psfs[which, k]


def _built(variant: Variant) -> object:
    return build(variant.plugin, load_plugin(variant.plugin), variant.settings)
