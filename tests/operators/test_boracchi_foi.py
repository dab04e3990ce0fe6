"""The Boracchi-Foi model against a literal loop, its invariants, and its published statistics."""

import cmath
import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest

from bench import PsfError, SettingError
from bench.imaging.psf import barycentre, splat
from bench.seeds import generator

model: Any = import_module("bench.operators.boracchi_foi")
BoracchiFoi = model.BoracchiFoi


def literal_path(op: Any, rng: np.random.Generator) -> list[complex]:
    """The model as it is written down, one step after the other, from the same random numbers."""
    N, L, a = op.samples, op.length, op.anxiety
    c, g, f, phi = rng.random(4)
    c, g, f, phi = 0.7 * c, 10 * g, 0.2 * f, 2 * math.pi * phi
    c = op.centripetal if op.centripetal is not None else c
    g = op.gaussian if op.gaussian is not None else g
    f = op.shakes if op.shakes is not None else f
    c, g, f = c * 2000 / N, g * math.sqrt(2000 / N), f * 2000 / N
    n, strikes, where = rng.standard_normal((N - 1, 2)), rng.random(N - 1), rng.random(N - 1)
    s = L / (N - 1)
    v = cmath.exp(1j * phi) * (a if a > 0 else s)
    x = [0j]
    for t in range(N - 1):
        q = 2 * v * cmath.exp(1j * (math.pi + where[t] - 0.5)) if strikes[t] < f * a else 0
        v = v + q + a * (g * (n[t, 0] + 1j * n[t, 1]) - c * x[t]) * s
        v = s * v / abs(v)
        x.append(x[t] + v)
    return x


def literal_psf(x: Sequence[complex], T: float, half: int) -> np.ndarray:
    """Triangle times triangle at every exposed sample."""
    N, psf = len(x), np.zeros((2 * half + 1, 2 * half + 1))
    for t in range(1, N + 1):
        weight = min(max(T * N - (t - 1), 0), 1) / N
        i, j = math.floor(x[t - 1].imag), math.floor(x[t - 1].real)
        for row in (i, i + 1):
            for col in (j, j + 1):
                hat = (1 - abs(x[t - 1].imag - row)) * (1 - abs(x[t - 1].real - col))
                if weight * hat > 0:
                    psf[row + half, col + half] += weight * hat
    return psf


SETTINGS = [
    {"length": 16.0},
    {"length": 64.0, "anxiety": 0.1},
    {"length": 20.0, "anxiety": 0.0},
    {"length": 20.0, "anxiety": 0.01, "samples": 500},
    {"length": 20.0, "centripetal": 0.5, "gaussian": 0.0, "shakes": 1.0},
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_paths_equal_a_slow_literal_loop_singly_and_in_a_batch(setting: dict[str, float]) -> None:
    op = BoracchiFoi(**setting)
    expected = np.array([literal_path(op, generator("path", i)) for i in range(3)])
    assert_allclose([op.path(generator("path", i)) for i in range(3)], expected, atol=1e-12, rtol=0)
    assert_allclose(op.paths([generator("path", i) for i in range(3)]), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("T", [0.25, 0.77777, 1.0])
def test_the_psf_before_normalisation_equals_a_literal_splat_and_sums_to_T(T: float) -> None:
    path = BoracchiFoi(16.0).path(generator(1))
    raw = splat(path, model.exposure(T, 2000), (16, 16))
    assert_allclose(raw, literal_psf(path.tolist(), T, 16), atol=1e-14)
    assert_allclose(raw.sum(), T, rtol=1e-12)


def test_what_a_longer_exposure_adds_is_the_path_in_between() -> None:
    path = BoracchiFoi(16.0).path(generator(2))
    short, long = (splat(path, model.exposure(T, 2000), (16, 16)) for T in (0.25, 0.75))
    between = path[500:1500]
    assert_allclose(long - short, splat(between, np.full(1000, 1 / 2000), (16, 16)), atol=1e-14)


@pytest.mark.parametrize("T", [0.1, 0.5, 1.0])
def test_the_path_has_constant_speed_and_length_T_L(T: float) -> None:
    steps = np.abs(np.diff(BoracchiFoi(30.0, anxiety=0.05).path(generator(3))))
    assert_allclose(steps, 30 / 1999, rtol=1e-12)
    assert_allclose(steps @ model.exposure(T, 2000)[:-1] * 2000, 30 * T, rtol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    length=st.floats(1e-6, 80),
    anxiety=st.sampled_from([0.0, 1e-4, 0.005, 0.1, 1.0]),
    T=st.floats(0.001, 1),
    samples=st.integers(2, 300),
    key=st.integers(0, 10**6),
)
def test_every_psf_is_non_negative_odd_square_of_unit_sum_and_centred(
    length: float, anxiety: float, T: float, samples: int, key: int
) -> None:
    psf, exposure, note = BoracchiFoi(length, anxiety, T, samples).psf(generator(key))
    assert psf.min() >= 0
    assert psf.dtype == np.float64
    assert psf.shape[0] == psf.shape[1]
    assert psf.shape[0] % 2 == 1
    assert_allclose(psf.sum(), 1, rtol=1e-12)
    assert abs(barycentre(psf)) < 1e-9
    assert (exposure, note) == (T, "")


def test_the_same_key_gives_the_same_psf_and_another_key_another() -> None:
    op = BoracchiFoi(16.0, size=33)
    assert_array_equal(op.psf(generator(1)).psf, op.psf(generator(1)).psf)
    assert np.abs(op.psf(generator(1)).psf - op.psf(generator(2)).psf).sum() > 0.1


def test_exposures_share_one_trajectory_because_T_does_not_enter_the_draw() -> None:
    assert "T" in BoracchiFoi.shared
    short, long = (BoracchiFoi(16.0, T=T).path(generator(5)) for T in (0.25, 1.0))
    assert_array_equal(short, long)


def test_an_infinitely_short_path_is_a_delta() -> None:
    psf = BoracchiFoi(1e-9, size=3).psf(generator(1)).psf
    assert_allclose(psf[1, 1], 1, atol=1e-8)


def test_without_anxiety_the_path_is_a_straight_line() -> None:
    path = BoracchiFoi(20.0, anxiety=0.0).path(generator(9))
    assert_allclose(path / path[-1], np.linspace(0, 1, 2000), atol=1e-12)


def test_the_linear_operator_is_the_limit_without_anxiety() -> None:
    op = BoracchiFoi(12.0, anxiety=0.0, samples=200_000)
    path = op.path(generator(9))
    angle = -math.degrees(cmath.phase(path[-1]))
    linear = import_module("bench.operators.linear").Linear(12.0, angle).psf(generator(0)).psf
    got = op.psf(generator(9)).psf
    pad = [((got.shape[0] - n) // 2,) * 2 for n in linear.shape]
    assert_allclose(got, np.pad(linear, pad), atol=1e-5)


def test_a_kernel_that_does_not_fit_is_an_error_or_a_recorded_growth() -> None:
    natural = BoracchiFoi(64.0, anxiety=0.0).psf(generator(1)).psf
    with pytest.raises(PsfError, match=r"does not fit on size: 15 .*overflow: grow"):
        BoracchiFoi(64.0, anxiety=0.0, size=15).psf(generator(1))
    grown = BoracchiFoi(64.0, anxiety=0.0, size=15, overflow="grow").psf(generator(1))
    assert grown.note == f"support grown from 15 to {natural.shape[0]} px"
    assert_array_equal(grown.psf, natural)


def test_a_given_size_frames_the_natural_kernel_with_zeros() -> None:
    natural = BoracchiFoi(16.0).psf(generator(4)).psf
    framed = BoracchiFoi(16.0, size=41).psf(generator(4)).psf
    edge = (41 - natural.shape[0]) // 2
    assert_array_equal(framed, np.pad(natural, edge))


def test_a_batch_of_psfs_equals_the_psfs_one_by_one() -> None:
    op = BoracchiFoi(16.0, T=0.6, size=31)
    batch = op.psfs([generator(i) for i in range(4)])
    assert_allclose(batch, [op.psf(generator(i)).psf for i in range(4)], atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"length": 0.0},
        {"length": float("inf")},
        {"anxiety": -0.1},
        {"anxiety": 2.0},
        {"T": 0.0},
        {"samples": 1},
        {"size": 30},
        {"size": 0},
        {"overflow": "crop"},
        {"shakes": -1.0},
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        BoracchiFoi(**{"length": 16.0} | wrong)


def side(op: Any, n: int) -> np.ndarray:
    """Larger side of the bounding box of n paths, in px."""
    paths = op.paths([generator("extent", i) for i in range(n)])
    return np.maximum(np.ptp(paths.real, axis=1), np.ptp(paths.imag, axis=1))


def test_the_mean_extent_is_that_of_the_model_at_2000_samples() -> None:
    # 0.30 L at a = 0.005, L = 64, from an independent implementation; standard error about 0.5 px.
    assert_allclose(side(BoracchiFoi(64.0), 256).mean(), 19.5, atol=2)


def test_anxiety_shrinks_the_kernel() -> None:
    means = [side(BoracchiFoi(64.0, anxiety=a), 64).mean() for a in (0.0, 0.001, 0.005, 0.05)]
    assert means == sorted(means, reverse=True)
    assert_allclose(means[0], 64 * 2 * math.sqrt(2) / math.pi, rtol=0.05)  # E max(|cos|, |sin|) of a straight line


@pytest.mark.slow
@pytest.mark.parametrize("samples", [500, 1000, 4000])
def test_rescaled_samples_keep_the_statistics_of_the_extent(samples: int) -> None:
    reference, got = (side(BoracchiFoi(64.0, samples=n), 3000) for n in (2000, samples))
    assert_allclose(got.mean(), reference.mean(), rtol=0.05)
    assert_allclose(np.quantile(got, [0.05, 0.95]), np.quantile(reference, [0.05, 0.95]), rtol=0.08)


@pytest.mark.parametrize("samples", [500, 2000])
def test_shakes_strike_as_often_as_the_model_says(samples: int) -> None:
    # Each step turns round with probability f a: 0.1 * 0.01 * 2000 = 2 a path, whatever the number of samples.
    op = BoracchiFoi(64.0, anxiety=0.01, samples=samples, shakes=0.1, gaussian=0.0, centripetal=0.0)
    steps = np.diff(op.paths([generator(i) for i in range(400)]), axis=1)
    count = (np.abs(np.angle(steps[:, 1:] / steps[:, :-1])) > 1e-3).sum(axis=1)
    assert_allclose(count.mean(), 2, atol=4 * math.sqrt(2 / 400))


RANGES = {"length": {"uniform": (1.0, 16.0)}, "anxiety": {"uniform": (0.0, 0.01)}}


def test_lengths_and_anxieties_of_a_range_are_drawn_uniformly_and_independently():
    shake = BoracchiFoi(**RANGES, samples=2)
    drives = [shake._drive(generator("law", i)) for i in range(500)]
    for values, (low, high) in (([d.length for d in drives], (1, 16)), ([d.anxiety for d in drives], (0, 0.01))):
        assert kstest(values, "uniform", (low, high - low)).pvalue > 0.001
    assert abs(np.corrcoef([d.length for d in drives], [d.anxiety for d in drives])[0, 1]) < 0.15


def test_a_path_has_the_length_that_was_drawn_and_the_note_names_it():
    shake = BoracchiFoi(**RANGES)
    path = shake.path(generator("one"))
    note = shake.psf(generator("one")).note
    assert note.startswith(f"length {np.abs(np.diff(path)).sum():.4g} px; anxiety ")


def test_the_exposures_of_a_path_share_its_drawn_length_and_anxiety():
    half, full = (BoracchiFoi(**RANGES, T=T).psf(generator("shared")).note for T in (0.5, 1.0))
    assert half == full


def test_paths_of_drawn_lengths_are_the_same_one_by_one_and_in_a_batch():
    shake = BoracchiFoi(**RANGES, samples=200)
    batch = shake.paths([generator("batch", i) for i in range(4)])
    for i, path in enumerate(batch):
        assert np.allclose(path, shake.path(generator("batch", i)), atol=1e-9)


def test_a_number_and_the_range_of_that_number_alone_have_the_same_law_but_a_number_draws_nothing():
    fixed = BoracchiFoi(length=8.0)
    rng = generator("state")
    drive = fixed._drive(rng)
    assert (drive.length, drive.anxiety) == (8.0, 0.005)
    same = generator("state")
    for draw in (lambda: same.random(4), lambda: same.standard_normal((1999, 2)), lambda: same.random(2 * 1999)):
        draw()
    assert rng.random() == same.random()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": {"uniform": (0.0, 4.0)}}, "length is .*px > 0.*low <= high"),
        ({"length": {"uniform": (4.0, 2.0)}}, "length is"),
        ({"length": {"normal": (4.0, 2.0)}}, r"length is .*a number, or \{uniform: \[low, high\]\}"),
        ({"length": 4.0, "anxiety": {"uniform": (0.0, 2.0)}}, r"anxiety is .*in \[0, 1\]"),
    ],
)
def test_a_range_that_is_none_is_refused(settings: dict, message: str):
    with pytest.raises(SettingError, match=message):
        BoracchiFoi(**settings)


@pytest.mark.parametrize("anxiety", [0.0, 0.001, 0.01])
def test_no_point_of_a_path_is_farther_from_the_barycentre_than_half_its_length(anxiety: float):
    paths = BoracchiFoi(length=16.0, anxiety=anxiety, samples=400).paths([generator("half", i) for i in range(200)])
    points, _ = model.exposed(paths, 1.0)
    assert np.abs(points).max() <= 8 + 1e-9
