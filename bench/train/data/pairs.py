"""Training pairs: random crops, degraded on the fly or recorded, as functions of a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bench.imaging.measure import Measurement
from bench.methods.networks.conditional import ConditionalConfig
from bench.seeds import generator
from bench.train.data import images, layouts
from bench.train.data.degrade import Exposures

if TYPE_CHECKING:
    from bench.train.recipe.read import RestorationRecipe

#: truth (C, H, W) and what is seen (frames C, H, W), float32 in [0, 1] units; see ``scenes`` for unrolled solvers
Pair = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Pairs:
    """Pairs of one recipe.

    Attributes:
        stack: the i-th item as uint8 (H, W, K): frames to degrade, or the truth and then the recorded frames.
        shares: of the draws, one per item.
        exposures: what degrades; None for recorded pairs.
        channels: of an image, 1 or 3.
        informed: the Wiener estimate, made with the true PSF and noise level and clipped, follows the measurement.
    """

    recipe: RestorationRecipe
    stack: Callable[[int], np.ndarray]
    shares: np.ndarray
    exposures: Exposures | None
    channels: int
    informed: bool = False

    def __len__(self) -> int:
        return len(self.shares)

    def batch(self, key: tuple[object, ...]) -> Pair:
        """Truths (n, C, size, size) and measurements (n, frames C, size, size), float32: a function of ``key``."""
        rng = generator("pairs", *key)
        chosen = rng.choice(len(self), size=self.recipe.batch, p=self.shares)
        return _stacked([self._pair(self._piece(self.stack(i), rng), rng) for i in chosen])

    def _piece(self, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        augment = self.recipe.augment
        return images.coloured(images.crop(item, augment, self._side, rng), augment, self.channels, rng)

    def centres(self, limit: int) -> Pair:
        """The centre crops of up to ``limit`` items, spread evenly, degraded the same way every time."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(limit, len(self))).round().astype(int))
        pieces = ((i, images.centre(self.stack(i), self._side)) for i in chosen)
        return _stacked([self._pair(p, generator("validation pair", self.recipe.seed, int(i))) for i, p in pieces])

    @property
    def _side(self) -> int:
        return self.recipe.size + 2 * self.recipe.margin

    def _pair(self, piece: np.ndarray, rng: np.random.Generator) -> Pair:
        frames = np.split(np.moveaxis(piece, -1, 0) / 255.0, piece.shape[-1] // self.channels)
        if self.exposures is None:
            return frames[0], np.concatenate(frames[1:])
        measured = self.exposures(frames, rng)
        seen = [measured.y] if measured.burst is None else [*measured.burst]
        if self.informed:
            seen.append(self._wiener(measured))
        return measured.sharp, np.concatenate(seen)

    def _wiener(self, m: Measurement) -> np.ndarray:
        from bench.methods.classical.wiener import wiener
        from bench.methods.make_problem import assemble  # torch, which processes that make other pairs do without

        assert self.recipe.degradation is not None
        problem = assemble([m], [generator("no draws")], boundary=self.recipe.degradation.boundary)
        return wiener(problem)[0].clamp(0, 1).numpy()


def _stacked(pairs: Sequence[Pair]) -> Pair:
    return tuple(np.stack(a).astype(np.float32) for a in zip(*pairs, strict=True))


_Pairs = TypeVar("_Pairs", bound=Pairs)


def load(recipe: RestorationRecipe, part: layouts.Part, root: Path, kind: type[_Pairs] = Pairs) -> _Pairs:
    """The training or validation pairs of a recipe. Raises DataError when there are none large enough."""
    exposures = None if recipe.degradation is None else Exposures(recipe.degradation, recipe.seed)
    stacks = layouts.stacks(recipe, part, root)
    informed = isinstance(recipe.network, ConditionalConfig) and recipe.network.informed
    return kind(recipe, stacks.stack, stacks.shares, exposures, recipe.network.image_channels, informed)
