"""A prior in tiles: exact for networks that see no farther than a tile's margin, seamless beyond, bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from bench.errors import SettingError
from bench.methods.diffusion.denoiser import placed
from bench.methods.diffusion.schedule import Schedule
from bench.methods.diffusion.tiled import Tiled
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from tests.methods.test_priors import write_weights


class Filter:
    """A linear denoiser: a filter of 2 radius + 1 pixels across three channels, zeros outside, scaled by its level.

    Its weights fall by ``decay`` from one pixel to the next, as those of trained networks do.
    """

    channels, mean = 3, 0.0
    schedule = Schedule.make("linear")

    def __init__(self, radius: int, decay: float = 1.0, stride: int = 1):
        self.radius, self.stride = radius, stride
        g = torch.Generator().manual_seed(0)
        far = torch.arange(-radius, radius + 1, dtype=torch.float64).abs()
        kernel = torch.rand(3, 3, 2 * radius + 1, 2 * radius + 1, generator=g, dtype=torch.float64)
        self.kernel = kernel * decay ** torch.maximum(far[:, None], far)
        self.kernel /= self.kernel.sum((1, 2, 3), keepdim=True)
        self.largest = 0

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        self.largest = max(self.largest, x.shape[-1] * x.shape[-2])
        level = (t.view(-1, 1, 1, 1) / 1000).to(x)
        return (1 - level) * conv2d(pad(x, (self.radius,) * 4), self.kernel.to(x))

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        return like.new_full((shape[0], shape[1] // 2 + 1), sigma**2)


def picture(*shape: int) -> Tensor:
    return torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


T = torch.tensor([100.0, 700.0])


@pytest.mark.parametrize("shape", [(64, 64), (200, 64), (150, 333), (128, 72)])
def test_a_network_that_sees_no_farther_than_the_margin_gives_the_same_in_tiles(shape: tuple[int, int]) -> None:
    prior, x = Filter(4), picture(*shape)  # a sixteenth of 64 pixels
    assert torch.allclose(Tiled(prior, 64).x0(x, T), prior.x0(x, T), atol=1e-12)


def test_a_network_that_sees_farther_leaves_no_seam_above_a_thousandth() -> None:
    prior, x = Filter(14, decay=0.5), picture(232, 200)  # margin 8
    error = (Tiled(prior, 128).x0(x, T) - prior.x0(x, T)).abs()
    assert 0 < float(error.max()) < 1e-3


def test_a_stride_is_kept_to() -> None:
    class Blocks(Filter):
        def x0(self, x: Tensor, t: Tensor) -> Tensor:
            blocks = torch.nn.functional.avg_pool2d(x, 8)
            return blocks.repeat_interleave(8, -1).repeat_interleave(8, -2) + 0 * t.view(-1, 1, 1, 1)

    prior, x = Blocks(1, stride=8), picture(104, 200)
    assert torch.allclose(Tiled(prior, 64).x0(x, T), prior.x0(x, T), atol=1e-12)
    with pytest.raises(SettingError, match="multiple of 8"):
        Tiled(prior, 60)


def test_the_gradient_through_tiles_is_that_through_the_whole_picture() -> None:
    prior, x = Filter(4), picture(96, 130).requires_grad_()
    with torch.enable_grad():
        gradients = [torch.autograd.grad((p.x0(x, T) ** 2).sum(), x)[0] for p in (Tiled(prior, 64), prior)]
    assert torch.allclose(gradients[0], gradients[1], atol=1e-12)


def test_the_network_never_sees_more_than_a_tile() -> None:
    prior = Filter(2)
    tiled = Tiled(prior, 128)
    x = torch.zeros(1, 3, 768, 1024)
    assert tiled.x0(x, T[:1]).shape == x.shape
    assert prior.largest == 128 * 128


def test_a_picture_no_larger_than_a_tile_passes_untouched() -> None:
    prior, x = Filter(16), picture(48, 64)
    assert torch.equal(Tiled(prior, 64).x0(x, T), prior.x0(x, T))


def test_a_trained_prior_takes_large_pictures_in_tiles_where_asked(tmp_path: Path) -> None:
    plugin = find_plugin("prior", "trained")
    file = write_weights(tmp_path / "tiny.safetensors")
    whole, tiled = (
        placed(build(plugin, load_plugin(plugin), {"weights": str(file), "tile": tile}).load(), torch.float64, "cpu")
        for tile in (None, 16)
    )
    x, t = torch.zeros(1, 1, 48, 24, dtype=torch.float64), T[:1].double()
    assert tiled.x0(x, t).dtype == torch.float64
    assert torch.equal(tiled.x0(x[..., :16, :16], t), whole.x0(x[..., :16, :16], t))
    with pytest.raises(SettingError, match="at least 16"):
        build(plugin, load_plugin(plugin), {"tile": 8})
