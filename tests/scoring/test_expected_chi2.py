"""The expected χ² of an estimate, against closed forms: Wiener on a torus, a Gaussian posterior behind a border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.contracts import Context, NoiseLevel
from bench.grid.cells import instance
from bench.grid.metrics import measures_of, with_expected
from bench.imaging.measure import blur_circular
from bench.plugins.lookup import find_plugin, load_plugin
from bench.verify import runs
from bench.verify.oracles.gaussian import GaussianPrior, Scene

SIDE, SIGMA = 48, 0.05
PSF = np.outer(w := np.array([1.0, 3, 5, 3, 1]), w) / w.sum() ** 2


def measured(name: str, truth: np.ndarray, samples: np.ndarray, context: Context) -> float:
    """A metric of samples (K, C, H, W), or of one estimate (1, C, H, W)."""
    (measure,) = measures_of(name, {}, Path())
    metric = instance(measure.metric)
    of_one = name == "residual_chi2"
    value = metric.measure(truth, samples[0] if of_one else samples, context)  # type: ignore[attr-defined]
    assert value is not None
    return value


def on_the_torus(wrong: float, scenes: int = 100) -> tuple[float, float, float, float]:
    """χ² and expected χ² of a Wiener filter with ``wrong`` times the true spectrum: their means, and in closed form.

    Pictures are Gaussian of spectrum S, and R = S Kᶜ / (|K|² S + σ²) with S multiplied by ``wrong``; H = K R is the
    filter's hat matrix, diagonal in the Fourier basis.
    """
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)) * SIDE
    S = 20 * (f**2 + 1.5**2) ** -1.5
    K = np.fft.fft2(np.roll(np.pad(PSF, (0, SIDE - 5)), (-2, -2), (0, 1)))
    R = wrong * S * K.conj() / (wrong * S * abs(K) ** 2 + SIGMA**2)
    H = (K * R).real
    chi2, expected, rng = [], [], np.random.default_rng(11)
    for _ in range(scenes):
        x = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIDE, SIDE))) * np.sqrt(S)).real[None]
        y = blur_circular(x, PSF) + SIGMA * rng.standard_normal(x.shape)
        estimate = np.fft.ifft2(np.fft.fft2(y) * R).real
        context = Context(y, PSF, NoiseLevel(0.0, SIGMA), "circular")
        chi2.append(measured("residual_chi2", x, estimate[None], context))
        expected.append(measured("residual_chi2_expected", x, estimate[None], context))
    signal = abs(K) ** 2 * S / SIGMA**2
    residual = ((1 - H) ** 2 * (signal + 1)).mean()
    error = ((1 - H) ** 2 * signal + H**2).mean()
    return float(np.mean(chi2)), float(np.mean(expected)), float(residual), float(1 - error)


def test_of_wiener_on_a_torus_it_is_one_less_the_degrees_of_freedom_a_pixel() -> None:
    chi2, expected, _, by_error = on_the_torus(1.0)
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)) * SIDE
    K = np.fft.fft2(np.roll(np.pad(PSF, (0, SIDE - 5)), (-2, -2), (0, 1)))
    signal = abs(K) ** 2 * 20 * (f**2 + 1.5**2) ** -1.5
    trace = float((signal / (signal + SIGMA**2)).mean())  # of the hat matrix, over the number of pixels
    assert trace > 0.1
    assert by_error == pytest.approx(1 - trace, rel=1e-12)
    assert expected == pytest.approx(1 - trace, abs=0.01)
    assert chi2 == pytest.approx(1 - trace, abs=0.01)


@pytest.mark.parametrize(("wrong", "sign"), [(0.03, 1), (30.0, -1)], ids=["too smooth", "too rough"])
def test_too_much_smoothing_leaves_more_than_expected_and_too_little_less(wrong: float, sign: int) -> None:
    chi2, expected, residual, by_error = on_the_torus(wrong)
    assert chi2 == pytest.approx(residual, abs=0.02)
    assert expected == pytest.approx(by_error, abs=0.02)
    assert sign * (chi2 - expected) > 0.05


def test_behind_a_border_it_is_that_of_the_posterior_mean() -> None:
    # Everything dense: a scene of 14 x 14 of which the sensor sees 10 x 10, its covariance, and E[x | y].
    H, m = 10, 2
    at = np.indices((H + 2 * m, H + 2 * m)).reshape(2, -1).T
    C = 0.04 * np.exp(-np.hypot(*(at[:, None] - at).transpose(2, 0, 1)) / 3)
    A = np.array([blur(e.reshape(H + 2 * m, -1)) for e in np.eye(len(at))]).T
    gain = C @ A.T @ np.linalg.inv(A @ C @ A.T + SIGMA**2 * np.eye(H * H))
    half, inner = np.linalg.cholesky(C), slice(m, H + m)
    values, rng = [], np.random.default_rng(9)  # the mean of χ² has a standard error of 0.008
    for _ in range(600):
        x = half @ rng.standard_normal(len(at))
        y = A @ x + SIGMA * rng.standard_normal(H * H)
        truth, mean = (z.reshape(1, H + 2 * m, -1)[:, inner, inner] for z in (x, gain @ y))
        context = Context(y.reshape(1, H, H), PSF, NoiseLevel(0.0, SIGMA))
        values.append([measured(n, truth, mean[None], context) for n in ("residual_chi2", "residual_chi2_expected")])
    chi2, expected = np.mean(values, 0)
    error = A @ (C - gain @ A @ C) @ A.T  # covariance of K(x - E[x | y])
    inside = np.diag(error).reshape(H, H)[m:-m, m:-m].mean() / SIGMA**2
    assert expected == pytest.approx(1 - inside, abs=0.02)
    assert chi2 == pytest.approx(1 - inside, abs=0.02)


def blur(scene: np.ndarray) -> np.ndarray:
    """K x of a scene where the sensor sees it whole, flat."""
    return blur_circular(scene[None], PSF)[0, 2:-2, 2:-2].ravel()


def test_of_the_shipped_wiener_filter_on_nearly_its_own_kind_of_pictures_both_agree() -> None:
    # Its spectrum falls as f^-2.5, theirs as f^-2.2.
    prior, solver = GaussianPrior(), load_plugin(find_plugin("solver", "wiener"))()
    values = []
    for i in range(12):
        scene = Scene.make(prior, 0.1, index=500 + i)
        problem = runs.problem(solver, prior, scene.y[None], scene.psf, scene.sigma, runs.generators(1))
        estimate = solver.solve(problem).numpy().astype(float)
        truth, y = ((z[None].numpy() + 1) / 2 for z in (scene.truth, scene.y))
        context = Context(y, scene.psf, NoiseLevel(0.0, scene.sigma / 2), "circular")
        values.append([measured(n, truth, estimate, context) for n in ("residual_chi2", "residual_chi2_expected")])
    chi2, expected = np.mean(values, 0)
    assert expected < 0.95
    assert chi2 == pytest.approx(expected, abs=0.04)


def test_of_draws_from_the_posterior_it_is_one_as_of_the_truth() -> None:
    prior = GaussianPrior()
    scene = Scene.make(prior, 0.1, index=3)
    white = torch.randn(8, *scene.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    draws = scene.mean + torch.fft.ifft2(torch.fft.fft2(white) * scene.variance.sqrt()).real
    samples, truth, y = ((z.numpy() + 1) / 2 for z in (draws[:, None], scene.truth[None], scene.y[None]))
    context = Context(y, scene.psf, NoiseLevel(0.0, scene.sigma / 2), "circular")
    assert measured("residual_chi2_expected", truth, samples, context) == 1
    chi2 = np.mean([measured("residual_chi2", truth, x[None], context) for x in samples])
    assert chi2 == pytest.approx(1, abs=0.06)


def test_every_grid_with_the_residual_gets_the_column_beside_it() -> None:
    asked = [m for name in ("psnr", "residual_chi2") for m in measures_of(name, {}, Path())]
    assert [m.name for m in with_expected(asked)] == ["psnr", "residual_chi2", "residual_chi2_expected"]
    assert [m.name for m in with_expected(asked[:1])] == ["psnr"]
