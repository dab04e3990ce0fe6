"""A prior on pictures larger than its network can take at once: in overlapping tiles, joined at every call."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from bench.errors import SettingError
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks.tiles import Tiles


class Tiled:
    """E[x_0 | x_t] of tiles, averaged under Hann windows, so that memory is bounded whatever the picture.

    Neighbours share a quarter of a tile, and the outer sixteenth of a tile counts for nothing where another tile
    holds the same pixels: what a network answers there lacks the surroundings. So the joined answer is that of the
    whole picture *exactly* if the network sees no farther than a sixteenth of a tile from a pixel (16 pixels of 256)
    and commutes with shifts by its stride; otherwise neighbours fade into one another over the rest of the overlap.
    With the shipped ``photos`` and tiles of 256 pixels the largest difference is 0.0001 at σ = 0.05, 0.0015 at 1 and
    0.005 at 10, of a range of 2. Networks with attention or norms over the whole picture answer something else in
    tiles, as they do on any size that they were not trained on. A picture no larger than a tile passes untouched.

    The network sees one tile of every image of a batch at a time. Under autograd it sees each again in the backward
    pass, so that memory stays that of a tile, at the price of one more forward pass.

    Args:
        prior: any prior.
        tile: side of a tile in pixels, a multiple of the prior's stride.

    Raises SettingError for another tile.
    """

    def __init__(self, prior: PriorModel, tile: int):
        if tile < 16 or tile % prior.stride:
            raise SettingError(
                f"tile must be a multiple of {prior.stride}, the network's stride, and at least 16; got {tile}"
            )
        self.prior, self.tile = prior, tile

    @property
    def schedule(self) -> Schedule:
        """Noise levels."""
        return self.prior.schedule

    @property
    def channels(self) -> int:
        """Of its images."""
        return self.prior.channels

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.prior.stride

    @property
    def mean(self) -> float | None:
        """Mean intensity of the images, in [-1, 1]."""
        return self.prior.mean

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:
        """The prior's own: tiles are taken for as good as the whole."""
        return self.prior.error_power(sigma, shape, like)

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t], (B, channels, H, W), at real steps t (B,)."""
        shape = (x.shape[-2], x.shape[-1])
        if max(shape) <= self.tile:
            return self.prior.x0(x, t)
        tiles = Tiles(shape, self.tile, self.tile // 4, self.stride)
        total, weight = torch.zeros_like(x), x.new_zeros(shape)
        for place, window in tiles.windows(x, margin=self.tile // 16):
            total[place] += window * self._answer(x[place], t)
            weight[place[1:]] += window
        return total / weight

    def _answer(self, x: Tensor, t: Tensor) -> Tensor:
        if not x.requires_grad:
            return self.prior.x0(x, t)
        answer = checkpoint(self.prior.x0, x, t, use_reentrant=False, preserve_rng_state=False)
        assert isinstance(answer, Tensor)
        return answer
