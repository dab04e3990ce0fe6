"""Kernel Stein discrepancy: samples against the score of a posterior that nobody can sample.

With a trained prior there is no posterior to compare with, but its score is known up to the network's own error: that
of the prior by Tweedie's formula, that of the likelihood in closed form. A law with samples x and score s has
E s(x) g(x) + g'(x) = 0 for every smooth g, and the largest violation over the unit ball of an RKHS is the discrepancy
(Liu, Lee & Jordan 2016; Chwialkowski, Strathmann & Gretton 2016; Gorham & Mackey 2017 for the kernel). For posteriors
of diffusion priors: Qiu et al. 2026, "Beyond Accuracy" (score-KSD).

In the 4096 dimensions of a picture one kernel over all pixels sees next to nothing: distances of independent samples
are all alike. So here functions of one coordinate at a time, each a real Fourier mode w with u = wᵀx, as in sliced
discrepancies (Gong, Li & Hernández-Lobato 2021). Low frequencies alone: in the high ones a posterior hardly spreads.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Cost
from bench.errors import SettingError
from bench.methods.diffusion.denoiser import Denoiser, ModelBase, PriorModel, placed
from bench.methods.diffusion.levels import at_sigma
from bench.methods.problem import Prior, Solver
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.seeds import generator
from bench.verify import runs
from bench.verify.oracles.gaussian import shake, transfer

#: rings of spatial frequency in cycles per picture, [low, high)
BANDS = ((1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0))
#: frequencies of a ring that are looked at, with two modes each, at most
MOST = 12
#: noise that is added to the samples before their score is asked for, over that of the measurement
PART = 0.5
RESAMPLED = 2000


@dataclass(frozen=True)
class Band:
    """What the samples do in one ring of frequencies, by the two simplest of Stein's identities.

    Attributes:
        low, high: in cycles per picture.
        variance: -cov(s, u), mean over modes: 1 for exact samples of any posterior; of a Gaussian one the samples'
            variance over the posterior's, both with the noise that ``of_samples`` adds.
        bias2: (E s)² times the samples' variance, mean over modes, without bias in the number of samples: 0 for exact
            samples; of a Gaussian posterior the squared error of the samples' mean over the posterior's variance.
    """

    low: float
    high: float
    variance: float
    bias2: float


@dataclass(frozen=True)
class Score:
    """The test of all samples of one measurement.

    Attributes:
        prior: its name.
        samples: how many.
        ksd2: squared discrepancy, an unbiased estimate: 0 on average for exact samples.
        p: of "these are samples of the posterior", by the weighted bootstrap of Arcones & Giné (1992).
        bands: by frequency.
    """

    prior: str
    samples: int
    ksd2: float
    p: float
    bands: tuple[Band, ...]

    def json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """A measurement on a torus, in [-1, 1] units.

    Attributes:
        y: (H, W), float64.
        psf: (h, w), odd sides, unit sum.
        sigma: standard deviation of the noise.
    """

    y: Tensor
    psf: np.ndarray
    sigma: float


def score(solver: Solver, name: str, prior: PriorModel, samples: int, sigma: float = 0.1) -> Score:
    """Samples of the posterior of ``photograph(sigma)`` under a gray prior, whatever it is, tested.

    Args:
        name: of the prior.
        samples: drawn.
        sigma: of the noise, in [-1, 1] units.
    """
    given = photograph(sigma)
    y = given.y.expand(samples, *given.y.shape)
    x = runs.draw(solver, prior, y, given.psf, given.sigma, runs.generators(samples, "stein"))
    return replace(of_samples(x, given, prior), prior=name)


def of_samples(x: Tensor, given: Measured, prior: PriorModel) -> Score:
    """The test of samples x (n, H, W), in [-1, 1] units.

    Noise of σ = ``PART`` σ_y is added to them, for a denoiser was never shown clean pictures. What is tested is the
    posterior of x + σ ε.
    """
    sigma = PART * given.sigma
    rng = generator("stein noise")
    noisy = x + sigma * torch.from_numpy(rng.standard_normal(x.shape)).to(x)
    return of_scores(noisy, posterior_score(noisy, given, prior, sigma))


def posterior_score(x: Tensor, given: Measured, prior: PriorModel, sigma: float) -> Tensor:
    """∇ log p(x | y) of noisy pictures x = x_0 + σ ε (n, H, W).

    (D(x, σ) - x)/σ² + Aᵀ (σ² A Aᵀ + σ_y²)⁻¹ (y - A x). The prior's score is Tweedie's formula. In the likelihood
    E[x_0 | x] is taken for x and cov(x_0 | x) for σ², right to σ²/S where the pictures' power S is above the noise.
    """
    denoiser = Denoiser(prior, Cost())
    level, K = at_sigma(prior.schedule, sigma), transfer(given.psf, (x.shape[-2], x.shape[-1]))
    with torch.no_grad():
        clean = torch.cat([denoiser.x0(level.a * part[:, None], level)[:, 0] for part in x.split(runs.TOGETHER)])
    residual = torch.fft.fft2(given.y) - K * torch.fft.fft2(x)
    data = torch.fft.ifft2(K.conj() * residual / (level.sigma**2 * K.abs() ** 2 + given.sigma**2)).real
    return (clean - x) / level.sigma**2 + data


def of_scores(x: Tensor, scores: Tensor) -> Score:
    """The test of samples x (n, H, W) with their scores, of the same shape."""
    H, bands = torch.zeros(len(x), len(x), dtype=torch.float64), []
    count = 0
    for low, high in BANDS:
        at = frequencies(x.shape[-2:], low, high)
        u, s = coefficients(x.double(), at), coefficients(scores.double(), at)
        bands.append(_band(low, high, u, s))
        H += stein_kernel(u, s)
        count += u.shape[1]
    squared, p = tested(H / count)
    return Score("", len(x), squared, p, tuple(bands))


def frequencies(shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """(J, 2) whole frequencies of a ring, one of each conjugate pair, J at most ``MOST``, evenly spread in angle."""
    v, h = (torch.fft.fftfreq(n, 1 / n).long() for n in shape)
    grid = torch.cartesian_prod(v, h)
    radius = grid.double().norm(dim=1)
    half = (grid[:, 0] > 0) | ((grid[:, 0] == 0) & (grid[:, 1] > 0))
    inside = grid[half & (radius >= low) & (radius < high)]
    angle = torch.atan2(inside[:, 0].double(), inside[:, 1].double())
    inside = inside[angle.argsort(stable=True)]
    return inside[torch.linspace(0, len(inside) - 1, min(MOST, len(inside))).round().long()]


def coefficients(x: Tensor, at: Tensor) -> Tensor:
    """Along the unit modes √2 cos and √2 sin of each frequency (J, 2): (n, 2 J) of pictures (n, H, W)."""
    X = torch.fft.fft2(x, norm="ortho")[:, at[:, 0], at[:, 1]]
    return math.sqrt(2) * torch.cat([X.real, X.imag], 1)


def stein_kernel(u: Tensor, s: Tensor) -> Tensor:
    """Σ over modes of s s' k + s ∂_u' k + s' ∂_u k + ∂_u ∂_u' k for all pairs: (n, n) of u and s (n, J).

    k = (1 + r²)^(-1/2), the inverse multiquadric, of r = (u - u')/h with h the samples' standard deviation along the
    mode: it falls slowly enough to see samples that miss the posterior altogether.
    """
    total = torch.zeros(len(u), len(u), dtype=u.dtype)
    for h, a, b in zip(u.std(0), u.T, s.T, strict=True):
        r, t = (a[:, None] - a) / h, b * h
        q = 1 + r**2
        total += t[:, None] * t / q.sqrt() + (t[:, None] - t) * r / q**1.5 + 1 / q**1.5 - 3 * r**2 / q**2.5
    return total


def _band(low: float, high: float, u: Tensor, s: Tensor) -> Band:
    n, off = len(u), u - u.mean(0)
    bias2 = (s.mean(0) ** 2 - s.var(0) / n) * u.var(0)
    return Band(low, high, float(-(off * s).sum(0).mean() / (n - 1)), float(bias2.mean()))


def tested(H: Tensor) -> tuple[float, float]:
    """The mean of H over pairs, and the share of weighted resamples whose sum reaches it."""
    n = len(H)
    pairs = H - H.diag().diag()
    counts = generator("stein weights").multinomial(n, np.full(n, 1 / n), RESAMPLED)
    w = torch.from_numpy(counts / n - 1 / n)
    null = torch.einsum("bi,ij,bj->b", w, pairs, w)
    reached = int((null >= pairs.sum() / n**2).sum())
    return float(pairs.sum()) / (n * (n - 1)), (1 + reached) / (1 + RESAMPLED)


def photograph(sigma: float) -> Measured:
    """A validation crop of ``photos``, 64 x 64, behind the blur of the oracles, wrapped around, and white noise.

    The measurement is made as the likelihood says, on a torus: no boundary is guessed.
    """
    photos = load_plugin(find_plugin("dataset", "photos"))(split="val", size=64)
    truth = 2 * torch.from_numpy(photos.load(photos.ids()[0]).scene[0]) - 1
    K = transfer(shake(), (truth.shape[-2], truth.shape[-1]))
    noise = torch.from_numpy(generator("stein photograph", sigma).standard_normal(truth.shape))
    return Measured(torch.fft.ifft2(K * torch.fft.fft2(truth)).real + sigma * noise, shake(), sigma)


def trained(weights: str) -> PriorModel:
    """A trained prior of gray pictures, by the name of shipped weights or a path.

    Raises WeightsError for a file that is none, SettingError for a prior of colours.
    """
    plugin = find_plugin("prior", "trained")
    prior = build(plugin, load_plugin(plugin), {"weights": weights})
    assert isinstance(prior, Prior)
    model = prior.load()
    if model.channels != 1:
        raise SettingError(f"prior {weights!r} is one of colours; the Stein discrepancy is for gray ones")
    return _Single(placed(model, torch.float32, "cpu"))


class _Single(ModelBase):
    """A network in float32 under a solver in float64: convolutions of doubles take many times as long on a CPU."""

    def __init__(self, model: PriorModel):
        self.model, self.schedule = model, model.schedule
        self.channels, self.stride = model.channels, model.stride
        self.native_size = getattr(model, "native_size", None)

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        return self.model.x0(x.float(), t).to(x.dtype)

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:
        return self.model.error_power(sigma, shape, like)

    @property
    def mean(self) -> float | None:
        return self.model.mean
