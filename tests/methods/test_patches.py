"""Patches under a Hann window: they cover, they sum to one, they hide their seams, whatever the size."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import avg_pool2d, conv2d

from bench.errors import SettingError
from bench.methods.networks.tiles import Tiles, batched, hann, starts


@pytest.mark.parametrize("shape", [(64, 64), (65, 190), (40, 200), (20, 30), (720, 1280)])
@pytest.mark.parametrize("overlap", [0, 5, 32])
def test_patches_that_were_not_changed_join_to_the_image(shape: tuple[int, int], overlap: int) -> None:
    x = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    tiles = Tiles(shape, 64, overlap, stride=8)
    assert torch.allclose(tiles.join(tiles.cut(x)), x, atol=1e-5)


def test_a_constant_stays_constant() -> None:
    tiles = Tiles((150, 333), 64, 16)
    constant = torch.full((1, 1, 150, 333), 0.3)
    assert (tiles.join(tiles.cut(constant)) - 0.3).abs().max() < 1e-6


@pytest.mark.parametrize("overlap", [32, 48])
def test_patches_that_disagree_by_one_percent_leave_no_seam_above_a_thousandth(overlap: int) -> None:
    tiles = Tiles((300, 300), 64, overlap)
    flat = torch.full((1, 1, 300, 300), 0.5)
    sign = torch.randint(0, 2, (len(tiles), 1, 1, 1), generator=torch.Generator().manual_seed(1)) - 0.5
    joined = tiles.join(tiles.cut(flat) + 0.01 * sign)
    assert 0.002 < float(joined.max() - joined.min()) <= 0.0101
    assert float(joined.diff(dim=-1).abs().max()) < 1e-3
    assert float(joined.diff(dim=-2).abs().max()) < 1e-3


def test_what_goes_wrong_at_the_border_of_a_patch_is_hardly_seen() -> None:
    """A fault of 10 % along the outermost pixels of every patch: the window leaves a hundredth of it inside."""
    tiles = Tiles((192, 192), 64, 32)
    pieces = tiles.cut(torch.zeros(1, 1, 192, 192, dtype=torch.float64))
    pieces[..., 0, :] = pieces[..., -1, :] = pieces[..., :, 0] = pieces[..., :, -1] = 0.1
    inner = tiles.join(pieces)[..., 1:-1, 1:-1]
    assert 0 < float(inner.max()) < 1e-3


@pytest.mark.parametrize(("shape", "overlap"), [((200, 333), 16), ((65, 190), 5), ((720, 1280), 32), ((64, 70), 60)])
def test_a_network_with_a_stride_gives_the_same_in_patches_as_in_one_piece(
    shape: tuple[int, int], overlap: int
) -> None:
    """Blocks of 8 × 8 pixels, each replaced by its mean: equivariant to shifts by 8 and to no others."""
    x = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(2))

    def blocks(pieces: torch.Tensor) -> torch.Tensor:
        return avg_pool2d(pieces, 8).repeat_interleave(8, -1).repeat_interleave(8, -2)

    tiles, whole = Tiles(shape, 64, overlap, stride=8), Tiles(shape, 2048, 0, stride=8)
    assert len(tiles) > len(whole) == 1
    assert {place % 8 for pair in tiles.places for place in pair} == {0}
    joined, expected = (t.join(blocks(t.cut(x))) for t in (tiles, whole))
    assert torch.allclose(joined, expected, atol=1e-6)


def test_a_translation_equivariant_restorer_leaves_no_seam_above_a_thousandth() -> None:
    """A random filter of 5 × 5 pixels with zeros outside: it fails along the borders of patches alone."""
    g = torch.Generator().manual_seed(3)
    kernel = torch.rand(1, 1, 5, 5, generator=g)
    x = torch.rand(1, 1, 300, 300, generator=g)

    def restore(pieces: torch.Tensor) -> torch.Tensor:
        return conv2d(pieces, kernel / kernel.sum(), padding=2)

    tiles = Tiles((300, 300), 128, 32, stride=8)
    pieces = restore(tiles.cut(x))
    error = (tiles.join(pieces) - restore(x)).abs()[..., 2:-2, 2:-2]
    alone = (pieces[0] - restore(x)[0, :, :128, :128]).abs()
    assert float(alone.max()) > 0.1
    assert float(error.max()) < 1e-3


@pytest.mark.parametrize(
    ("n", "patch", "overlap"), [(64, 64, 8), (65, 64, 8), (1280, 64, 16), (719, 48, 0), (97, 33, 32)]
)
def test_patches_reach_both_ends_and_overlap_as_much_as_asked(n: int, patch: int, overlap: int) -> None:
    places = starts(n, patch, overlap)
    assert (places[0], places[-1]) == (0, n - patch)
    assert all(0 < b - a <= patch - overlap for a, b in pairwise(places))


@pytest.mark.parametrize(("n", "patch", "overlap"), [(72, 64, 8), (1280, 64, 20), (720, 48, 0), (200, 32, 24)])
def test_patches_of_a_network_with_a_stride_begin_on_it(n: int, patch: int, overlap: int) -> None:
    places = starts(n, patch, overlap, 8)
    assert (places[0], places[-1]) == (0, n - patch)
    assert all(0 < b - a <= patch - overlap and b % 8 == 0 for a, b in pairwise(places))


def test_the_window_is_positive_symmetric_and_sums_to_one_with_its_shift_by_half() -> None:
    w = hann(64, torch.zeros(1, dtype=torch.float64))
    assert float(w.min()) > 0
    assert torch.allclose(w, w.flip(0))
    assert torch.allclose(w[:32] + w[32:], torch.ones(32, dtype=torch.float64))


def test_no_more_patches_than_the_batch_are_seen_at_once() -> None:
    seen: list[int] = []

    def f(part: torch.Tensor) -> torch.Tensor:
        seen.append(len(part))
        return part

    pieces = Tiles((720, 1280), 64, 16).cut(torch.zeros(1, 1, 720, 1280))
    assert len(batched(f, pieces, 16)) == len(pieces) == sum(seen)
    assert max(seen) == 16


def test_an_image_smaller_than_a_patch_is_taken_whole_and_rounded_up_to_the_stride() -> None:
    tiles = Tiles((20, 100), 64, 16, stride=8)
    assert tiles.cut(torch.zeros(3, 1, 20, 100)).shape == (6, 1, 24, 64)


@pytest.mark.parametrize(("patch", "overlap"), [(64, 64), (64, -1), (60, 8)])
def test_patches_that_cannot_be_are_refused(patch: int, overlap: int) -> None:
    with pytest.raises(SettingError, match=r"overlap must|patch must"):
        Tiles((100, 100), patch, overlap, stride=8)
