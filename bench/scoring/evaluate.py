"""Metrics: what is measured on an estimate, under a protocol that travels with the name.

``METRICS`` lists them; ``evaluate`` computes them. Importing this module imports neither torch, scipy nor
scikit-image, so that a grid can be validated and a report built from the table alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bench.contracts import NoiseLevel
from bench.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    import numpy as np  # by its arrays' methods alone: listing metrics need not import it


@dataclass(frozen=True)
class Context:
    """What a metric may need besides the two pictures.

    Attributes:
        y: the measurement (C, H, W), float64, not clipped.
        psf: the true PSF (h, w), unit sum; None where nobody knows it.
        level: the true gain and sigma, floats in [0, 1] units.
        boundary: how the measurement was made.
        border: pixels that ``prepare`` removes on every side.
        clip: whether ``prepare`` clips the estimate to [0, 1].
    """

    y: np.ndarray
    psf: np.ndarray | None
    level: NoiseLevel
    boundary: Literal["valid", "circular"] = "valid"
    border: int = 0
    clip: bool = True


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: what a grid calls it; columns of the results are ``m_`` + name.
        label: what a table calls it.
        better: "higher", "lower", or "one" for a check that ranks nothing.
        target: the value that a check should have.
        digits: decimals worth printing.
        unit: "dB" or "".
        protocol: one sentence: the exact definition.
        function: (truth, estimate, context) -> value, both arrays float64 (C, H, W); None when it cannot be had.
        prepared: whether it gets the cropped and clipped arrays of ``prepare`` or the full, unclipped ones; "cropped"
            for cropped ones that are not clipped.
        of: what it is computed on when there are K samples: each "sample" (the mean of the K values), the "mean"
            of the samples, or all "samples" together, (K, C, H, W).
        reference: whether it compares with the true picture; such a metric is empty where there is none.
    """

    name: str
    label: str
    better: Literal["higher", "lower", "one"]
    digits: int
    unit: str
    protocol: str
    function: Callable[[np.ndarray, np.ndarray, Context], float | None]
    prepared: bool | Literal["cropped"] = True
    of: Literal["sample", "mean", "samples"] = "sample"
    target: float = 1.0
    reference: bool = True

    @property
    def higher_is_better(self) -> bool | None:
        """None for a check."""
        return {"higher": True, "lower": False, "one": None}[self.better]

    def loss(self, value: np.ndarray) -> np.ndarray:
        """Values on a scale where less is better: what tuning minimises and ranks sort by."""
        if self.better == "one":
            return abs(value - self.target)
        return -value if self.better == "higher" else value


def prepare(truth: np.ndarray, estimate: np.ndarray, border: int, clip: bool) -> tuple[np.ndarray, np.ndarray]:
    """The protocol: clip the estimate to [0, 1] if asked, then drop ``border`` pixels on every side of both.

    Raises SettingError if the border leaves nothing.
    """
    H, W = truth.shape[-2:]
    if not 0 <= border < (min(H, W) + 1) // 2:
        raise SettingError(
            f"border: {border} leaves nothing of an image of {H} x {W} pixels. Allowed: 0 to {(min(H, W) - 1) // 2}."
        )
    if clip:
        estimate = estimate.clip(0.0, 1.0)
    inside = (..., slice(border, H - border), slice(border, W - border))
    return truth[inside], estimate[inside]


def check_names(names: Iterable[str]) -> None:
    """Raise SettingError at the first name that is no metric."""
    for name in names:
        if name not in METRICS:
            raise SettingError(f"there is no metric {name!r}. {did_you_mean(name, METRICS)}")


def evaluate(
    names: Iterable[str], truth: np.ndarray | None, estimate: np.ndarray, context: Context
) -> dict[str, float | None]:
    """The named metrics of one estimate.

    Args:
        names: keys of ``METRICS``; another one raises SettingError.
        truth: float64 (C, H, W), full frame; None where nobody has the sharp picture.
        estimate: the same shape, or K samples (K, C, H, W), full frame and not clipped: ``prepare`` is applied here.
        context: measurement, PSF, noise level and protocol.

    Returns:
        A value per name: NaN where the metric is undefined on this image, None where it cannot be had on this
        machine (LPIPS without weights) or on this image (without a sharp picture). The reason is logged once per
        process.
    """
    names = list(names)
    check_names(names)
    frame = context.y if truth is None else truth
    samples = estimate if estimate.ndim > frame.ndim else estimate[None]
    if frame.shape != samples.shape[1:]:
        raise ValueError(f"truth is {frame.shape}, the estimate {estimate.shape}")
    return {name: _evaluate(METRICS[name], truth, samples, context) for name in names}


def with_posterior(names: Iterable[str]) -> tuple[str, ...]:
    """Those metrics, and what several samples allow besides: the same of their mean, of the mean of infinitely many
    samples where that can be had, CRPS and coverage.
    """
    names = tuple(names)
    means = tuple(f"{n}{form}" for form in ("_mean", "_extrapolated") for n in names if f"{n}{form}" in METRICS)
    together = tuple(n for n, m in METRICS.items() if m.of == "samples" and not n.endswith("_extrapolated"))
    return tuple(dict.fromkeys(names + means + together))


def _evaluate(metric: Metric, truth: np.ndarray | None, samples: np.ndarray, context: Context) -> float | None:
    if truth is None:
        if metric.reference:
            return None
        truth = context.y  # a stand-in of the same shape: the metric does not look at it
    given = samples.mean(0) if metric.of == "mean" else samples
    if metric.prepared:
        truth, given = prepare(truth, given, context.border, context.clip and metric.prepared != "cropped")
    if metric.of != "sample":
        return metric.function(truth, given, context)
    values = [metric.function(truth, x, context) for x in given]
    return None if None in values else sum(v for v in values if v is not None) / len(values)


def crps(truth: np.ndarray, samples: np.ndarray, _: Context) -> float | None:
    """See ``bench.scoring.posterior.crps``; None for one sample, whose absolute error is no judgement of a law."""
    from bench.scoring import posterior

    return posterior.crps(truth, samples) if len(samples) > 1 else None


def psnr_extrapolated(truth: np.ndarray, samples: np.ndarray, context: Context) -> float | None:
    """PSNR of ``bench.scoring.posterior.mse_of_exact_mean``: NaN where it is not positive, None for one sample."""
    from bench.scoring import posterior

    mse = posterior.mse_of_exact_mean(truth, samples, context.clip)
    if mse is None:
        return None
    if mse <= 0:
        _log_once("psnr_extrapolated is undefined where the samples scatter more than their mean errs: NaN")
        return float("nan")
    return -10 * math.log10(mse)


def coverage_50(truth: np.ndarray, samples: np.ndarray, _: Context) -> float | None:
    """See ``bench.scoring.posterior.coverage``."""
    from bench.scoring import posterior

    return posterior.coverage(truth, samples, 0.5)


def coverage_90(truth: np.ndarray, samples: np.ndarray, _: Context) -> float | None:
    """See ``bench.scoring.posterior.coverage``."""
    from bench.scoring import posterior

    return posterior.coverage(truth, samples, 0.9)


def psnr(truth: np.ndarray, estimate: np.ndarray, _: Context) -> float:
    """-10 log10 of the mean squared error; +inf for identical images: a cap would be an invented number."""
    mse = float(((truth - estimate) ** 2).mean())
    return float("inf") if mse == 0 else -10 * math.log10(mse)


SSIM_WINDOW = 11  # 2 round(3.5 sigma) + 1 pixels at sigma = 1.5


def ssim(truth: np.ndarray, estimate: np.ndarray, _: Context) -> float:
    """Wang, Bovik, Sheikh & Simoncelli 2004, mean over channels; NaN below 11 x 11 pixels."""
    if min(truth.shape[-2:]) < SSIM_WINDOW:
        _undefined("ssim", truth, SSIM_WINDOW)
        return float("nan")
    from skimage.metrics import structural_similarity

    value: Any = structural_similarity(
        truth, estimate, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, channel_axis=0
    )  # fmt: skip
    return float(value)


def lpips_alex(truth: np.ndarray, estimate: np.ndarray, _: Context) -> float | None:
    """Zhang, Isola, Efros, Shechtman & Wang 2018; see ``bench.scoring.lpips``."""
    from bench.scoring import lpips as lpips_weights

    if min(truth.shape[-2:]) < lpips_weights.SMALLEST:
        _undefined("lpips_alex", truth, lpips_weights.SMALLEST)
        return float("nan")
    return lpips_weights.distance(truth, estimate)


#: dB that count as much as an SSIM of 1, and the points for both: see ``score_convir``
SCORE_PSNR, SCORE_POINTS = 33.0, 100.0


def score_convir(truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
    """An image's part in the score of study 004, 100 avg(PSNR / 33, SSIM): means of it are that of means."""
    return SCORE_POINTS * (psnr(truth, estimate, context) / SCORE_PSNR + ssim(truth, estimate, context)) / 2


def residual_chi2(_: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
    """Mean of (y - K x)^2 / (gain max(K x, 0) + sigma^2) over the pixels where K x needs nothing from outside.

    ``valid`` data: the interior (H - h + 1, W - w + 1); ``circular``: all of it. About 1 for the truth; above, the
    estimate misses the data, below, it fits the noise. Without read noise an intensity below one photon counts as
    one (max(K x, gain)): the variance would vanish. NaN without any noise, or when no pixel is left; None where
    nobody knows the PSF.
    """
    from bench.imaging.measure import blur_circular

    if context.psf is None:
        return None
    (gain, sigma), (h, w), (H, W) = context.level, context.psf.shape, estimate.shape[-2:]
    if h > H or w > W or (gain == 0 and sigma == 0):
        _log_once(f"residual_chi2 is undefined at noise {context.level}, PSF {h} x {w}, image {H} x {W}: NaN")
        return float("nan")
    Kx = blur_circular(estimate, context.psf)
    a, b = (h // 2, w // 2) if context.boundary == "valid" else (0, 0)
    Kx, y = (z[:, a : H - a, b : W - b] for z in (Kx, context.y))
    variance = gain * Kx.clip(min=0.0 if sigma > 0 else gain) + sigma**2
    return float(((y - Kx) ** 2 / variance).mean())


def _undefined(name: str, image: np.ndarray, smallest: int) -> None:
    H, W = image.shape[-2:]
    _log_once(f"{name} needs at least {smallest} x {smallest} pixels, the cropped images are {H} x {W}: NaN")


_logged: set[str] = set()


def _log_once(text: str) -> None:
    import logging

    if text not in _logged:
        _logged.add(text)
        logging.getLogger(__name__).warning(text)


_PROTOCOL = "Estimate clipped to [0, 1] and the border cropped as the protocol says; all channels count alike."
_UNCLIPPED = "Samples as they were drawn, not clipped; the border cropped as the protocol says; all channels alike."
_COVER = (
    "Student's prediction interval from mean and standard deviation of the samples, pixel by pixel; a truth on its "
    f"end counts half: the target is the probability in the name; empty for a single estimate. {_UNCLIPPED}"
)
METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(
            "psnr", "PSNR", "higher", 2, "dB",
            f"-10 log10 of the mean squared error, data range 1; infinite for identical images. {_PROTOCOL}",
            psnr,
        ),
        Metric(
            "ssim", "SSIM", "higher", 3, "",
            "Structural similarity of Wang et al. (2004): Gaussian window of sigma 1.5 (11 x 11), K1 = 0.01, "
            f"K2 = 0.03, population covariance, data range 1, mean over channels (scikit-image). {_PROTOCOL}",
            ssim,
        ),
        Metric(
            "lpips_alex", "LPIPS", "lower", 3, "",
            "LPIPS 0.1 of Zhang et al. (2018) with AlexNet features, images scaled to [-1, 1], gray repeated to "
            f"three channels; empty without the weights. {_PROTOCOL}",
            lpips_alex,
        ),
        Metric(
            "score_convir", "Score", "higher", 2, "",
            "100 times the mean of PSNR / 33 and SSIM. The score of a solver averages it over the images of each "
            f"dataset, then over datasets; a table over all images weighs large datasets more. {_PROTOCOL}",
            score_convir,
        ),
        Metric(
            "residual_chi2", "χ²", "one", 2, "",
            "Mean of (y - Kx)² / (gain max(Kx, 0) + sigma²) with the true PSF and noise level, on the estimate as "
            "returned (not clipped); on valid data over the interior that needs nothing from outside the sensor. "
            "About 1 for the truth; above 1 the data are missed, below 1 noise is fitted.",
            residual_chi2, prepared=False, reference=False,
        ),
        Metric(
            "crps", "CRPS", "lower", 4, "",
            "Continuous ranked probability score of the samples, mean over pixels, fair estimator (Ferro 2014): "
            f"least for samples of the true posterior; empty for a single estimate. {_UNCLIPPED}",
            crps, prepared="cropped", of="samples",
        ),
        Metric(
            "psnr_extrapolated", "PSNR of exact mean", "higher", 2, "dB",
            "PSNR of the mean of infinitely many samples: from the squared error of the mean of K less s² / K, which "
            "is unbiased; pixels whose mean is clipped are not corrected. Empty for a single estimate. " + _PROTOCOL,
            psnr_extrapolated, prepared="cropped", of="samples",
        ),
        Metric(
            "coverage_50", "Coverage 50 %", "one", 2, "",
            f"Share of the pixels inside the central 50 % interval. {_COVER}",
            coverage_50, prepared="cropped", of="samples", target=0.5,
        ),
        Metric(
            "coverage_90", "Coverage 90 %", "one", 2, "",
            f"Share of the pixels inside the central 90 % interval. {_COVER}",
            coverage_90, prepared="cropped", of="samples", target=0.9,
        ),
    )
}  # fmt: skip

for _metric in [METRICS[n] for n in ("psnr", "ssim", "lpips_alex")]:
    METRICS[f"{_metric.name}_mean"] = replace(
        _metric,
        name=f"{_metric.name}_mean",
        label=f"{_metric.label} of mean",
        protocol=f"Of the mean of the samples, or of a single estimate. {_metric.protocol}",
        of="mean",
    )
