"""Training scenes of an unrolled solver: the scene fills the canvas, and every PSF leaves a margin of its own."""

from __future__ import annotations

import numpy as np

from bench.contracts import Exposed, Image
from bench.errors import DataError
from bench.imaging.measure import measure
from bench.seeds import generator
from bench.train.data.pairs import Pair, Pairs

#: Pixels of the canvas at its end that may lie beyond the scene when a solver rounds its sides up to the stride.
SLACK = 8
#: The least side of a sensor that there is anything to learn from.
LEAST = 8


class Scenes(Pairs):
    """Batches of five arrays (n, 1, size, size), as ``bench.methods.networks.half_quadratic.Seen`` has them.

    The scene in [0, 1]; the measurement in [-1, 1], zero outside the sensor; the mask of the sensor; the PSF, its
    centre at pixel (0, 0); the variance of the noise, one outside the sensor.
    """

    @property
    def _side(self) -> int:
        return self.recipe.size

    def _pair(self, piece: np.ndarray, rng: np.random.Generator) -> Pair:
        from bench.methods.make_problem import Sensed, assemble
        from bench.methods.networks.half_quadratic import Seen

        assert self.exposures is not None
        exposed, noise = self.exposures.draw(rng)
        psf = square(exposed.psf)
        m = len(psf) // 2
        side = self._side - 2 * m
        if side < LEAST + SLACK:
            raise DataError(f"a PSF of {len(psf)} pixels leaves nothing of a scene of size: {self._side} to be seen")
        scene = np.moveaxis(piece, -1, 0) / 255.0
        measured = measure(Image("training", scene, m), Exposed(psf, exposed.T), noise, rng, "valid")
        H, W = (side - int(n) for n in rng.integers(SLACK, size=2))
        y = measured.y[:, :H, :W]
        problem = assemble([Sensed(y, psf, measured.level)], [generator("no draws")], boundary="valid")
        seen = Seen.of(problem)
        after = ((0, 0), (0, side - H), (0, side - W))
        kernel = np.zeros_like(scene)
        kernel[0, : len(psf), : len(psf)] = psf
        return (
            scene,
            np.pad(seen.y[0].numpy(), after),
            np.pad(seen.mask[0].numpy(), after),
            np.roll(kernel, (-m, -m), (1, 2)),
            np.pad(np.broadcast_to(seen.variance[0].numpy(), seen.y.shape[1:]), after, constant_values=1.0),
        )


def square(psf: np.ndarray) -> np.ndarray:
    """The PSF on the smallest square that holds it, centred."""
    a, b = (n // 2 for n in psf.shape)
    m = max(a, b)
    return np.pad(psf, ((m - a, m - a), (m - b, m - b)))
