"""CRPS and coverage of posterior samples."""

import numpy as np
import pytest

from bench.contracts import NoiseLevel
from bench.metrics.evaluate import METRICS, Context, evaluate, with_posterior
from bench.metrics.posterior import coverage, crps

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
    values = evaluate(with_posterior(["psnr", "ssim"]), truth, x, CONTEXT)
    assert values["psnr"] == values["psnr_mean"]
    assert values["ssim"] == values["ssim_mean"]
    assert values["coverage_90"] is None
    assert values["crps"] == pytest.approx(np.abs(truth - x).mean())


def test_several_samples_add_the_metrics_of_the_posterior_once():
    names = with_posterior(["psnr", "residual_chi2", "crps"])
    assert names == ("psnr", "residual_chi2", "crps", "psnr_mean", "coverage_50", "coverage_90")
    assert all(n in METRICS for n in names)
