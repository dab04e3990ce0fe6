"""CRPS and coverage of posterior samples."""

from pathlib import Path

import numpy as np
import pytest

from bench.contracts import Context, NoiseLevel
from bench.grid.metrics import measures_of, with_samples
from bench.scoring.posterior import coverage, crps, mse_of_exact_mean
from bench.scoring.registry import known
from tests.metric_values import values as evaluate


def with_posterior(*names: str) -> tuple[str, ...]:
    return tuple(m.name for m in with_samples([m for n in names for m in measures_of(n, {}, Path.cwd())]))


RNG = np.random.default_rng(0)
CONTEXT = Context(np.zeros((1, 40, 40)), np.ones((1, 1)), NoiseLevel(0.0, 0.1), "circular")


def gaussian(k: int, spread: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A truth from N(0, 1) at each of n² pixels, and k samples from N(0, spread²)."""
    return RNG.standard_normal((1, n, n)), spread * RNG.standard_normal((k, 1, n, n))


def test_crps_of_one_sample_is_the_mean_absolute_error():
    truth, samples = gaussian(1, 1.0, 20)
    assert crps(truth, samples) == pytest.approx(np.abs(truth - samples[0]).mean())


def test_crps_is_the_definition_with_all_pairs():
    truth, samples = gaussian(5, 1.0, 10)
    pairs = [np.abs(samples[i] - samples[j]).mean() for i in range(5) for j in range(i)]
    assert crps(truth, samples) == pytest.approx(np.abs(samples - truth).mean() - np.mean(pairs) / 2)


@pytest.mark.parametrize("k", [2, 8])
def test_crps_of_a_normal_forecast_has_no_bias_in_the_number_of_samples(k: int):
    """E CRPS of N(0, 1) for a truth from N(0, 1) is E|X - X'| - E|X - X'| / 2 = 1/√π."""
    assert crps(*gaussian(k, 1.0)) == pytest.approx(1 / np.sqrt(np.pi), abs=0.004)


def test_crps_is_least_for_the_true_spread():
    right = crps(*gaussian(8, 1.0))
    assert right < crps(*gaussian(8, 0.6))
    assert right < crps(*gaussian(8, 1.5))


@pytest.mark.parametrize("k", [2, 4, 16])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_truth_lies_in_the_interval_as_often_as_it_says_whatever_the_number_of_samples(k: int, level: float):
    assert coverage(*gaussian(k, 1.0), level) == pytest.approx(level, abs=0.006)


def test_coverage_of_samples_without_spread_is_nothing_and_of_a_single_estimate_unknown():
    truth, samples = gaussian(1, 1.0, 10)
    assert coverage(truth, np.repeat(samples, 3, 0), 0.9) == 0
    assert coverage(truth, samples, 0.9) is None


def test_a_truth_on_the_end_of_the_interval_counts_half():
    dark = np.zeros((1, 10, 10))
    assert coverage(dark, np.zeros((4, 1, 10, 10)), 0.9) == 0.5


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_coverage_is_of_samples_as_drawn_whereas_clipped_ones_would_miss_the_level(level: float):
    """Truth and samples from N(0.1, 0.1²): a sixth of them is negative, and clipped would pile up at 0."""
    truth, samples = (0.1 + 0.1 * x for x in gaussian(6, 1.0, 300))
    name = f"coverage_{round(100 * level)}"
    assert evaluate([name], truth, samples, CONTEXT)[name] == pytest.approx(level, abs=0.008)
    clipped = np.clip(truth, 0, 1), np.clip(samples, 0, 1)
    assert abs((coverage(*clipped, level) or 0) - level) > 0.01


@pytest.mark.parametrize("k", [2, 3, 8])
def test_the_error_of_the_exact_mean_is_unbiased_at_every_number_of_samples(k: int):
    """A truth that is 0.3 from the mean of samples of variance 0.04: (x̄ - x)² alone would have 0.09 + 0.04 / k."""
    mean = np.full((1, 300, 300), 0.5)
    samples = mean + 0.2 * RNG.standard_normal((k, *mean.shape))
    estimate = mse_of_exact_mean(mean - 0.3, samples, clip=False)
    assert estimate == pytest.approx(0.09, abs=0.002)
    assert ((samples.mean(0) - mean + 0.3) ** 2).mean() == pytest.approx(0.09 + 0.04 / k, abs=0.002)


def test_the_error_of_the_exact_mean_equals_that_of_very_many_samples_also_where_it_is_clipped():
    rng = np.random.default_rng(1)
    mean = rng.uniform(-0.5, 1.5, (1, 60, 60))
    mean = mean[(np.abs(mean) > 0.15) & (np.abs(mean - 1) > 0.15)][None, None]  # clipped surely, or surely not
    truth = rng.random(mean.shape)
    few = [
        mse_of_exact_mean(truth, mean + 0.1 * rng.standard_normal((4, *mean.shape)), clip=True) for _ in range(200)
    ]
    assert np.mean([f for f in few if f is not None]) == pytest.approx(
        ((mean.clip(0, 1) - truth) ** 2).mean(), abs=1e-4
    )


def test_samples_around_the_truth_itself_have_no_psnr_of_the_exact_mean_or_a_very_high_one():
    truth = RNG.uniform(0.3, 0.7, (1, 40, 40))
    values = [
        evaluate(
            ["psnr_extrapolated", "psnr_mean"], truth, truth + 0.05 * RNG.standard_normal((4, 1, 40, 40)), CONTEXT
        )
        for _ in range(8)
    ]
    assert all(
        np.isnan(v["psnr_extrapolated"] or 0) or (v["psnr_extrapolated"] or 0) > (v["psnr_mean"] or 0) + 6
        for v in values
    )


def test_a_metric_of_samples_is_the_mean_over_them_and_of_the_mean_that_of_the_mean():
    truth = RNG.random((1, 40, 40))
    samples = np.clip(truth + 0.1 * RNG.standard_normal((4, 1, 40, 40)), 0, 1)
    values = evaluate(["psnr", "psnr_mean"], truth, samples, CONTEXT)
    single = [evaluate(["psnr"], truth, x, CONTEXT)["psnr"] for x in samples]
    assert values["psnr"] == pytest.approx(np.mean([s for s in single if s is not None]))
    assert values["psnr_mean"] == evaluate(["psnr"], truth, samples.mean(0), CONTEXT)["psnr"]
    assert (values["psnr_mean"] or 0) > (values["psnr"] or 0) + 3


def test_a_single_estimate_has_the_same_value_with_and_without_mean():
    truth, x = RNG.random((1, 40, 40)), RNG.random((1, 40, 40))
    values = evaluate(with_posterior("psnr", "ssim"), truth, x, CONTEXT)
    assert values["psnr"] == values["psnr_mean"]
    assert values["ssim"] == values["ssim_mean"]
    assert values["coverage_90"] is None
    assert values["crps"] is None
    assert values["psnr_extrapolated"] is None


def test_several_samples_add_the_metrics_of_the_posterior_once():
    names = with_posterior("psnr", "residual_chi2", "crps")
    assert names == ("psnr", "residual_chi2", "crps", "psnr_mean", "psnr_extrapolated", "coverage_50", "coverage_90")
    assert all(n in known() for n in names)
