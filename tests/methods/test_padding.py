"""Extensions of a measurement beyond its borders."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.methods.classical.padding import Padding, crop, pad, sides_for

MODES: tuple[Padding, ...] = ("none", "zero", "mean", "edge", "reflect", "blend")


def image(H: int, W: int) -> torch.Tensor:
    return torch.rand(2, 3, H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 50), st.integers(0, 50), st.sampled_from(MODES))
def test_cropping_undoes_padding(H: int, W: int, a: int, b: int, mode: Padding):
    y, sides = image(H, W), sides_for((H, W), (a, b), mode)
    assert torch.equal(crop(pad(y, sides, mode), sides), y)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40), st.integers(1, 40))
def test_sides_are_as_wide_as_the_margin_and_make_a_grid_of_small_factors(H: int, W: int, a: int, b: int):
    left, right, top, bottom = sides_for((H, W), (a, b))
    assert min(top, bottom) >= a
    assert min(left, right) >= b
    for n in (H + top + bottom, W + left + right):
        for factor in (2, 3, 5):
            while n % factor == 0:
                n //= factor
        assert n == 1


def test_there_is_nothing_to_pad_without_a_margin_or_a_mode():
    assert sides_for((37, 41), (0, 0)) == (0, 0, 0, 0)
    assert sides_for((37, 41), (5, 5), "none") == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", MODES[2:])
def test_a_constant_image_is_continued_by_its_value(mode: Padding):
    y = torch.full((1, 1, 6, 7), 0.3, dtype=torch.float64)
    padded = pad(y, (4, 5, 2, 3), mode)
    torch.testing.assert_close(padded, torch.full((1, 1, 11, 16), 0.3, dtype=torch.float64))


def test_each_mode_continues_a_row_as_its_name_says():
    row = torch.tensor([[[[1.0, 2.0, 6.0]]]])
    expected = {
        "zero": [0, 0, 1, 2, 6, 0, 0],
        "mean": [3, 3, 1, 2, 6, 3, 3],
        "edge": [1, 1, 1, 2, 6, 6, 6],
        "reflect": [6, 2, 1, 2, 6, 2, 1],
        "blend": [3, 2, 1, 2, 6, 5, 4],
    }
    for mode in MODES[1:]:
        assert pad(row, (2, 2, 0, 0), mode).flatten().tolist() == pytest.approx(expected[mode]), mode


def test_the_mean_is_that_of_each_image_and_channel():
    y = image(5, 5)
    torch.testing.assert_close(pad(y, (1, 1, 1, 1), "mean")[..., 0, 0], y.mean((-2, -1)))


def test_reflection_goes_on_where_the_pad_is_wider_than_the_image():
    row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    assert pad(row, (5, 0, 0, 0), "reflect").flatten().tolist() == [2, 1, 2, 3, 2, 1, 2, 3]


def test_the_blend_has_no_seam_on_the_torus():
    y = image(20, 30)
    padded = pad(y, (8, 9, 6, 7), "blend")
    outside_step = (padded - padded.roll(1, -1))[..., 6:-7, :8].abs().amax()
    jump_without = (y[..., 0] - y[..., -1]).abs().amax()
    assert float(outside_step) <= float(jump_without) / 17
