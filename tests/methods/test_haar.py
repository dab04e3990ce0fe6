"""The orthonormal Haar transform and the prox of its l1 norm."""

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor

from bench.methods.classical.haar import (
    Haar,
    analyse,
    extend,
    levels_for,
    padded_shape,
    prox_details,
    prox_details_spun,
    synthesise,
)

SHAPES = [((8, 8), 3), ((16, 24), 3), ((12, 4), 2), ((6, 10), 1), ((5, 7), 0)]


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def flat(c: Haar) -> Tensor:
    return torch.cat([c.coarse.flatten(1), *(d.flatten(1) for d in c.details)], 1)


@pytest.mark.parametrize(("shape", "levels"), SHAPES)
def test_synthesis_undoes_analysis(shape: tuple[int, int], levels: int):
    x = rand(2, 3, *shape)
    torch.testing.assert_close(synthesise(analyse(x, levels)), x, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("shape", "levels"), SHAPES)
def test_the_transform_keeps_inner_products_so_that_its_inverse_is_its_adjoint(shape: tuple[int, int], levels: int):
    x, z = rand(1, 1, *shape), rand(1, 1, *shape, seed=1)
    inner = (flat(analyse(x, levels)) * flat(analyse(z, levels))).sum()
    assert inner == pytest.approx(float((x * z).sum()), abs=1e-12)
    assert flat(analyse(x, levels)).shape[1] == x.numel()


def test_each_level_agrees_with_pywavelets_up_to_the_sign_of_its_details():
    x = rand(1, 1, 16, 24)
    coarse, details = analyse(x, 3)
    expected = pywt.wavedec2(x[0, 0].numpy(), "haar", level=3)
    np.testing.assert_allclose(coarse[0, 0], expected[0], atol=1e-13)
    for ours, (down, across, diagonal) in zip(details, expected[:0:-1], strict=True):
        for a, b in zip(ours[0, 0], (across, down, diagonal), strict=True):
            np.testing.assert_allclose(a.abs(), np.abs(b), atol=1e-13)


def test_a_step_to_the_right_excites_only_the_details_across():
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    x[..., 1:] = 1
    across, down, diagonal = analyse(x, 1).details[0][0, 0]
    assert across[:, 0].tolist() == [-1, -1]
    assert not across[:, 1].any()
    assert not down.any()
    assert not diagonal.any()


def test_a_side_that_the_levels_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="divisible by 8"):
        analyse(rand(1, 1, 8, 12), 3)


@pytest.mark.parametrize("t", [0.0, 0.3, 100.0])
def test_the_prox_satisfies_its_optimality_condition(t: float):
    v = rand(2, 1, 8, 8)
    threshold = torch.tensor([t, 2 * t], dtype=torch.float64).view(-1, 1, 1, 1)
    p = prox_details(v, threshold, 2)
    # v - p must be t times a subgradient of |W p|_1: zero on averages, t sign where W p is not zero, else within t.
    slope, at = analyse(v - p, 2), analyse(p, 2)
    assert slope.coarse.abs().max() < 1e-13
    for g, d in zip(slope.details, at.details, strict=True):
        bound = threshold[:, None].expand_as(g)
        assert (g.abs() <= bound + 1e-13).all()
        free = d.abs() > 1e-12
        torch.testing.assert_close(g[free], (bound * d.sign())[free], rtol=0, atol=1e-12)


def test_a_huge_threshold_leaves_the_averages_of_blocks():
    v = rand(1, 1, 8, 8)
    p = prox_details(v, torch.full((1, 1, 1, 1), 1e9, dtype=torch.float64), 2)
    blocks = v.view(1, 1, 2, 4, 2, 4).mean((3, 5))
    torch.testing.assert_close(p, blocks.repeat_interleave(4, 2).repeat_interleave(4, 3), rtol=0, atol=1e-13)


def test_levels_are_fewer_on_small_images():
    assert [levels_for((n, 128), 3) for n in (1, 2, 3, 4, 7, 8, 15, 16, 100)] == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert levels_for((128, 128), 5) == 5


def test_the_padded_shape_is_the_next_multiple():
    assert padded_shape((8, 9), 3) == (8, 16)
    assert padded_shape((5, 7), 0) == (5, 7)


def test_extending_is_the_adjoint_of_cropping():
    x, z = rand(1, 2, 5, 6), rand(1, 2, 8, 8, seed=1)
    assert (extend(x, (8, 8)) * z).sum() == pytest.approx(float((x * z[..., :5, :6]).sum()), 1e-12)


@pytest.mark.parametrize(("shape", "levels"), [((8, 8), 1), ((8, 12), 2), ((8, 16), 3)])
def test_the_spun_prox_is_the_mean_over_all_shifts(shape: tuple[int, int], levels: int):
    v, threshold = rand(2, 1, *shape), torch.tensor([0.2, 0.7], dtype=torch.float64).view(-1, 1, 1, 1)
    shifts = [(i, j) for i in range(2**levels) for j in range(2**levels)]
    each = [
        torch.roll(prox_details(torch.roll(v, s, (-2, -1)), threshold, levels), (-s[0], -s[1]), (-2, -1))
        for s in shifts
    ]
    mean = torch.stack(each).mean(0)
    torch.testing.assert_close(prox_details_spun(v, threshold, levels), mean, rtol=0, atol=1e-13)


def test_the_spun_prox_without_threshold_is_the_identity_on_any_size():
    v = rand(1, 2, 9, 11)
    torch.testing.assert_close(prox_details_spun(v, torch.zeros(1, 1, 1, 1).double(), 3), v, rtol=0, atol=1e-13)
