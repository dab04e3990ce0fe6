"""PSF arrays: splatting, areas, centring, support, and the errors of an assumed PSF."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bench import PsfError, SettingError
from bench.imaging.psf import (
    Points,
    barycentre,
    centred,
    direction,
    disk_areas,
    distort,
    grid,
    half_of,
    odd,
    reach,
    require_exposure,
    splat,
    trimmed,
)


def cloud(seed: int, n: int = 40, spread: float = 4.0) -> tuple[Points, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-spread, spread, n) + 1j * rng.uniform(-spread, spread, n)
    return points, rng.random(n)


def linear(length: float, angle: float) -> np.ndarray:
    operator: Any = import_module("bench.operators.linear").Linear(length, angle)
    return operator.psf(np.random.default_rng(0)).psf


def l1(p: np.ndarray, q: np.ndarray) -> float:
    """Sum of |p - q| after both were padded to one support."""
    side = max(p.shape + q.shape)
    p, q = (np.pad(k, [((side - n) // 2,) * 2 for n in k.shape]) for k in (p, q))
    return float(np.abs(p - q).sum())


@given(seed=st.integers(0, 10**6), spread=st.floats(1e-9, 20))
def test_a_splat_keeps_mass_and_first_moments(seed: int, spread: float) -> None:
    points, weights = cloud(seed, spread=spread)
    psf = splat(points, weights, reach(points))
    assert psf.min() >= 0
    assert_allclose(psf.sum(), weights.sum(), rtol=1e-13)
    assert abs(barycentre(psf) - points @ weights / weights.sum()) < 1e-12


def test_a_point_between_pixels_is_shared_bilinearly_with_rows_counted_downwards() -> None:
    psf = splat(np.array([0.25 + 1.5j]), np.array([2.0]), (2, 1))
    expected = np.zeros((5, 3))
    expected[3:, 1:] = [[0.75, 0.25], [0.75, 0.25]]
    assert_allclose(psf, expected, atol=1e-15)


def test_points_on_the_last_pixel_stay_in_and_points_beyond_raise() -> None:
    edge: Points = np.array([2 + 1j, -2 - 1j])
    assert splat(edge, np.ones(2), (1, 2)).sum() == 2
    with pytest.raises(PsfError, match="leave a support"):
        splat(edge + 1e-3, np.ones(2), (1, 2))


def test_a_batch_of_splats_equals_the_splats_one_by_one() -> None:
    clouds = [cloud(i) for i in range(3)]
    points: Points = np.stack([p for p, _ in clouds])
    weights = np.stack([w for _, w in clouds])
    batch = splat(points, weights, (4, 5))
    for got, (p, w) in zip(batch, clouds, strict=True):
        assert_allclose(got, splat(p, w, (4, 5)), atol=1e-15)


def test_directions_run_counter_clockwise_and_are_exact_at_quarter_turns() -> None:
    assert [direction(a) for a in (0, 90, 180, 270, -90)] == [1, -1j, -1, 1j, 1j]
    assert_allclose(direction(30), np.exp(-1j * np.pi / 6), atol=1e-15)
    assert direction(120) == direction(30) * -1j


@pytest.mark.parametrize("radius", [0.3, 0.5, 0.75, 1.0, 2.5, 4.2, 7.0])
def test_disk_areas_sum_to_the_area_of_the_disk(radius: float) -> None:
    assert_allclose(disk_areas(radius).sum(), np.pi * radius**2, rtol=1e-13)


@pytest.mark.parametrize("radius", [0.7, 2.5, 4.2])
def test_disk_areas_agree_with_200_fold_supersampling(radius: float) -> None:
    areas = disk_areas(radius)
    n, k = areas.shape[0], 200
    sub = (np.arange(n * k) + 0.5) / k - n / 2
    inside = np.hypot(sub[:, None], sub) <= radius
    assert_allclose(areas, inside.reshape(n, k, n, k).mean((1, 3)), atol=3e-4)


def test_centring_moves_the_barycentre_to_the_origin_and_keeps_the_sum() -> None:
    psf = np.random.default_rng(1).random((5, 9)) * np.arange(9)
    moved = centred(psf)
    assert abs(barycentre(psf)) > 1
    assert abs(barycentre(moved)) < 1e-12
    assert_allclose(moved.sum(), psf.sum())
    assert centred(moved) is moved


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 6), (4, 4)])
def test_even_sides_become_odd_without_moving_the_origin(shape: tuple[int, int]) -> None:
    psf = np.zeros(shape)
    psf[shape[0] // 2, shape[1] // 2] = 1
    assert [n % 2 for n in odd(psf).shape] == [1, 1]
    assert barycentre(odd(psf)) == 0


def test_trimming_drops_empty_borders_but_not_below_the_least_support() -> None:
    psf = np.zeros((9, 11))
    psf[4, 3:7] = 1
    assert trimmed(psf).shape == (1, 5)
    assert trimmed(psf, (3, 3)).shape == (3, 5)
    assert trimmed(psf, (3, 21)).shape == (3, 21)
    assert barycentre(trimmed(psf, (3, 21))) == barycentre(psf)


def test_without_errors_the_assumed_psf_is_the_true_one_to_the_bit() -> None:
    psf = linear(9, 30)
    assert distort(psf) is psf


@settings(deadline=None)  # the first call imports scipy
@given(
    rotate=st.floats(-180, 180),
    scale=st.floats(0.5, 2),
    blur=st.sampled_from([0, 0.3, 1.5]),
    shape=st.sampled_from([(7, 7), (1, 9), (5, 3)]),
)
def test_a_distorted_psf_is_a_psf_with_the_barycentre_of_the_true_one(
    rotate: float, scale: float, blur: float, shape: tuple[int, int]
) -> None:
    psf = np.random.default_rng(3).random(shape)
    psf /= psf.sum()
    distorted = distort(psf, rotate=rotate, scale=scale, blur=blur)
    assert distorted.min() >= 0
    assert_allclose(distorted.sum(), 1, rtol=1e-12)
    assert [n % 2 for n in distorted.shape] == [1, 1]
    assert all(n >= m for n, m in zip(distorted.shape, shape, strict=True))
    assert abs(barycentre(distorted) - barycentre(psf)) < 1e-9


def test_a_quarter_turn_of_a_horizontal_line_is_the_vertical_line() -> None:
    assert l1(distort(linear(8, 0), rotate=90), linear(8, 90)) < 1e-5


def test_turning_a_line_comes_near_the_line_drawn_anew() -> None:
    p = linear(15, 30)
    assert l1(distort(p, rotate=10), linear(15, 40)) < 0.6 * l1(p, linear(15, 40))
    assert l1(distort(p, rotate=10), linear(15, 40)) < 0.3 * l1(distort(p, rotate=-10), linear(15, 40))


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.25, 2.0])
def test_scaling_a_smooth_kernel_scales_its_standard_deviation(scale: float) -> None:
    gauss = np.exp(-(np.abs(grid((24, 24))) ** 2) / (2 * 4**2))
    distorted = distort(gauss / gauss.sum(), scale=scale)
    variance = (np.abs(grid(half_of(distorted))) ** 2 * distorted).sum() / 2
    assert_allclose(variance, (4 * scale) ** 2, rtol=0.01)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_blurring_an_assumed_psf_adds_the_variance_of_the_gaussian(sigma: float) -> None:
    psf = linear(9, 30)
    distorted = distort(psf, blur=sigma)

    def variance(k: np.ndarray) -> float:
        return float((grid(half_of(k)).real ** 2 * k).sum())

    assert_allclose(variance(distorted) - variance(psf), sigma**2, rtol=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [{"scale": 0.0}, {"scale": -1.0}, {"blur": -0.1}, {"scale": 1e9}, {"blur": 1e9}, {"rotate": float("nan")}],
)
def test_impossible_distortions_are_setting_errors_that_name_the_key(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        distort(np.ones((3, 3)) / 9, **wrong)


@pytest.mark.parametrize("T", [0.0, -0.5, 1.01, float("nan")])
def test_an_exposure_outside_0_to_1_is_a_setting_error(T: float) -> None:
    with pytest.raises(SettingError, match="exposure in"):
        require_exposure(T)
