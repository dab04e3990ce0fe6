"""Photon and read noise: mean, variance and the level that a solver is given."""

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from bench import Image, SettingError
from bench.contracts import Exposed
from bench.imaging.measure import measure
from bench.seeds import generator

PoissonGaussian: Any = import_module("bench.operators.poisson_gaussian").PoissonGaussian
INF = math.inf


@pytest.mark.parametrize("T", [0.125, 1.0])
@pytest.mark.parametrize(("lam", "sigma"), [(768_000, 1), (48_000, 4), (2_000, 0), (INF, 4)])
def test_mean_and_variance_are_those_of_the_model_and_of_the_level_that_solvers_are_told(
    lam: float, sigma: float, T: float
) -> None:
    n, x = 200_000, 0.3
    noise = PoissonGaussian(lam, sigma)
    y = noise.sample(np.full(n, x), T, generator("noise"))
    variance = x * 255 / (lam * T) + (sigma / 255) ** 2 / T**2
    gain, std = noise.level(T)
    assert_allclose(gain * x + std**2, variance, rtol=1e-12)
    assert_allclose(y.mean(), x, atol=5 * math.sqrt(variance / n))
    assert_allclose(y.var(), variance, rtol=5 * math.sqrt(2 / n))


def test_noise_at_mid_grey_has_the_strength_that_the_reference_study_reports() -> None:
    # 8-bit levels of 768000/1, 192000/2, 48000/4 at grey 0.5 and T = 1.
    stds = []
    for lam, sigma in ((768_000, 1), (192_000, 2), (48_000, 4)):
        gain, std = PoissonGaussian(lam, sigma).level(1.0)
        stds.append(255 * math.sqrt(0.5 * gain + std**2))
    assert_allclose(stds, [3.4, 6.9, 13.7], atol=0.05)


def test_without_photon_and_read_noise_the_measurement_is_the_clean_image() -> None:
    clean = np.linspace(-1e-16, 1, 50).reshape(1, 5, 10)
    noise = PoissonGaussian(INF, 0)
    assert_allclose(noise.sample(clean, 0.25, generator(1)), clean, rtol=1e-15)
    assert noise.level(0.25) == (0, 0)


def test_without_read_noise_the_measurement_is_a_whole_number_of_photons() -> None:
    noise = PoissonGaussian(255 * 40.0, 0)
    photons = noise.sample(np.full(1000, 0.5), 0.5, generator(1)) * 40 * 0.5
    assert_allclose(photons, photons.round(), atol=1e-12)
    assert len(np.unique(photons.round())) > 5


def test_a_negative_intensity_emits_no_photon_but_is_kept_by_gaussian_noise() -> None:
    clean = np.full(1000, -1e-3)
    assert_array_equal(PoissonGaussian(48_000, 0).sample(clean, 1.0, generator(1)), 0)
    assert_allclose(PoissonGaussian(INF, 0).sample(clean, 1.0, generator(1)), clean)


def test_the_input_is_not_changed_and_the_same_key_gives_the_same_noise() -> None:
    clean, noise = np.full((3, 8, 8), 0.4), PoissonGaussian(48_000, 4)
    first = noise.sample(clean, 0.5, generator(1))
    assert_array_equal(clean, 0.4)
    assert_array_equal(first, noise.sample(clean, 0.5, generator(1)))
    assert np.abs(first - noise.sample(clean, 0.5, generator(2))).max() > 0.01


def test_measure_adds_this_noise_to_the_blurred_scene() -> None:
    scene = np.full((1, 96, 96), 0.5)
    got = measure(Image("flat", scene), Exposed(np.ones((1, 1)), 0.25), PoissonGaussian(48_000, 4), generator(3))
    gain, sigma = got.level
    assert_allclose(got.y.mean(), 0.5, atol=0.01)
    assert_allclose(got.y.var(), 0.5 * gain + sigma**2, rtol=0.08)


@given(lam=st.floats(1, 1e18), sigma=st.floats(0, 255), T=st.floats(0.001, 1))
def test_every_legal_level_gives_finite_measurements(lam: float, sigma: float, T: float) -> None:
    y = PoissonGaussian(lam, sigma).sample(np.array([0.0, 0.5, 1.0]), T, generator(1))
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("lam", "sigma", "key"), [(0, 1, "lam"), (-1, 1, "lam"), (math.nan, 1, "lam"), (1e19, 1, "lam"), (9, -1, "sigma")]
)
def test_an_impossible_level_is_an_error_that_names_the_setting(lam: float, sigma: float, key: str) -> None:
    with pytest.raises(SettingError, match=f"^{key} is"):
        PoissonGaussian(lam, sigma)
