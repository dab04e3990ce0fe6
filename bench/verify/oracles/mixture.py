"""A mixture of Gaussians over patches as prior: not Gaussian, yet denoiser, posterior and its samples are exact.

The components are fitted to patches of the photographs that come with scikit-image, by a procedure that stands here
and starts from fixed seeds. What they are fitted to matters little: the oracle is exact for whatever comes out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.methods.diffusion.schedule import Schedule
from bench.seeds import generator
from bench.verify.oracles.gaussian import transfer

#: Side of a patch in pixels, number of components.
SIDE, COMPONENTS = 16, 20
#: Log-weight below which a component of a posterior is left out: rounding.
NEGLIGIBLE = -35.0
#: Draws behind each entry of the error spectrum.
DRAWS = 256
#: Smallest σ of the error spectrum's table.
LEAST = 1e-3


@dataclass(frozen=True)
class Mixture:
    """Σ_j π_j N(μ_j, Σ_j) on R^d, each covariance through its eigenvectors. float64.

    Attributes:
        log_weights: (J,).
        means: (J, d).
        values, vectors: (J, d) and (J, d, d): Σ_j = U_j diag(values_j) U_jᵀ.
    """

    log_weights: Tensor
    means: Tensor
    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, log_weights: Tensor, means: Tensor, covariances: Tensor) -> Mixture:
        """From covariances (J, d, d)."""
        values, vectors = torch.linalg.eigh(covariances)
        return cls(log_weights.log_softmax(0), means, values.clamp(min=1e-8), vectors)

    def denoise(self, x: Tensor, a: float, s: float) -> Tensor:
        """E[x_0 | a x_0 + s ε = x] for x (B, d)."""
        # Along the eigenvectors of each component: (J, B, d)
        along = (x - a * self.means[:, None]) @ self.vectors
        total = (a**2 * self.values + s**2)[:, None]
        log = self.log_weights[:, None] - 0.5 * (along**2 / total + total.log()).sum(-1)
        each = self.means[:, None] + (a * self.values[:, None] / total * along) @ self.vectors.mT
        return (log.softmax(0)[..., None] * each).sum(0)

    def mean(self) -> Tensor:
        """(d,)."""
        return self.log_weights.exp() @ self.means

    def variance(self) -> Tensor:
        """Variance of each coordinate (d,)."""
        second = (self.vectors**2 * self.values[:, None]).sum(-1) + self.means**2
        return self.log_weights.exp() @ second - self.mean() ** 2

    def covariance(self) -> Tensor:
        """(d, d)."""
        w, off = self.log_weights.exp(), self.means - self.mean()
        within = (self.vectors * self.values[:, None]) @ self.vectors.mT
        return (w[:, None, None] * (within + off[:, :, None] * off[:, None])).sum(0)

    def draw(self, n: int, rng: np.random.Generator) -> Tensor:
        """n samples (n, d)."""
        weights = self.log_weights.exp().numpy()
        j = rng.choice(len(weights), n, p=weights / weights.sum())
        white = torch.from_numpy(rng.standard_normal((n, self.means.shape[1])))
        out = torch.empty_like(white)
        for c in set(j.tolist()):
            mine = torch.from_numpy(j == c)
            out[mine] = self.means[c] + (self.values[c].sqrt() * white[mine]) @ self.vectors[c].T
        return out

    def given(self, y: Tensor, A: Tensor, sigma: float) -> Mixture:
        """The distribution of x given y = A x + σ n: again a mixture. y (m,), A (m, d)."""
        covariances = (self.vectors * self.values[:, None]) @ self.vectors.mT
        cross = covariances @ A.T
        factor = torch.linalg.cholesky(A @ cross + sigma**2 * torch.eye(len(y), dtype=y.dtype))
        residual = (y - self.means @ A.T)[..., None]
        white = torch.linalg.solve_triangular(factor, residual, upper=False)
        half = torch.linalg.solve_triangular(factor, cross.mT, upper=False)
        log = -0.5 * (white**2).sum((1, 2)) - factor.diagonal(dim1=1, dim2=2).log().sum(1)
        log = (self.log_weights + log).log_softmax(0)
        some = log > NEGLIGIBLE
        shifted = self.means + (half.mT @ white)[..., 0]
        return Mixture.of(log[some], shifted[some], (covariances - half.mT @ half)[some])


@lru_cache(maxsize=1)
def fitted() -> Mixture:
    """The mixture of the oracle: 16 × 16 patches in [-1, 1], 20 components.

    Lloyd's algorithm on the size of the patches' lowest frequencies parts them; the mean and the shrunken covariance
    of each part make a component. One step of EM with hard assignments: likelihood is not what the oracle is for.
    """
    patches = _patches()
    labels = _parted(_features(patches))
    weights, means, covariances = [], [], []
    for j in range(COMPONENTS):
        part = patches[labels == j]
        centred = part - part.mean(0)
        covariance = centred.T @ centred / len(part)
        flat = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        weights.append(len(part))
        means.append(part.mean(0))
        covariances.append(0.98 * covariance + 0.02 * flat + 1e-4 * np.eye(len(covariance)))
    log_weights, mu, sigma = (torch.from_numpy(np.array(a)) for a in (np.log(weights), means, covariances))
    return Mixture.of(log_weights, mu, sigma)


def _patches(n: int = 1200) -> np.ndarray:
    """Patches (m, d) in [-1, 1] of pictures averaged 2 × 2."""
    from skimage import color, data

    colours = (data.astronaut(), data.coffee())
    pictures = [data.camera() / 255, data.moon() / 255, *(color.rgb2gray(c) for c in colours)]
    patches = []
    for i, picture in enumerate(pictures):
        H, W = (side // 2 for side in picture.shape)
        small = picture[: 2 * H, : 2 * W].reshape(H, 2, W, 2).mean((1, 3))
        rng = generator("mixture patches", i)
        corners = zip(rng.integers(0, H - SIDE, n), rng.integers(0, W - SIDE, n), strict=True)
        patches += [small[v : v + SIDE, h : h + SIDE].ravel() for v, h in corners]
    return 2 * np.stack(patches) - 1


def _features(patches: np.ndarray) -> np.ndarray:
    """Size of the lowest frequencies: parts by kind of structure, not by brightness, which any measurement tells."""
    from scipy.fft import dctn

    low = np.asarray(dctn(patches.reshape(-1, SIDE, SIDE), axes=(1, 2), norm="ortho"))[:, :5, :5]
    return np.log(np.abs(low).reshape(len(patches), -1)[:, 1:] + 0.1)


def _parted(features: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Labels (m,) by Lloyd's algorithm from fixed starts; a part that falls below 20 keeps its old centre."""
    centres = features[generator("mixture centres").choice(len(features), COMPONENTS, replace=False)]
    labels = np.zeros(len(features), int)
    for _ in range(rounds):
        labels = ((features[:, None] - centres) ** 2).sum(-1).argmin(1)
        sizes = np.bincount(labels, minlength=COMPONENTS)
        for j in np.flatnonzero(sizes >= 20):
            centres[j] = features[labels == j].mean(0)
    return labels


class MixturePrior:
    """Exact denoiser of 16 × 16 patches (see ``bench.methods.diffusion.denoiser.Prior``)."""

    channels = 1
    stride = 1

    def __init__(self, schedule: Schedule | None = None, mixture: Mixture | None = None):
        self.schedule = schedule or Schedule.make("linear")
        self.mixture = mixture or fitted()
        self.mean = float(self.mixture.mean().mean())
        self._powers: dict[int | None, Tensor] = {}

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t], (B, 1, 16, 16); all of a batch at one t."""
        a, s = (float(v[0]) for v in self.schedule.scales(t))
        return self.mixture.denoise(x.flatten(1).double(), a, s).view(x.shape).to(x.dtype)

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """C(f) from fixed draws of patch and noise, rfft2 layout (16, 9), interpolated between powers of √2."""
        assert shape == (SIDE, SIDE), f"the mixture is one of {SIDE} x {SIDE} patches, asked about {shape}"
        if math.isinf(sigma):
            return self._power(None).to(like)
        octave = 2 * math.log2(max(sigma, LEAST))
        low = math.floor(octave)
        return torch.lerp(self._power(low).log(), self._power(low + 1).log(), octave - low).exp().to(like)

    def _power(self, octave: int | None) -> Tensor:
        """At σ = 2^(octave / 2); at infinite σ for None."""
        if octave not in self._powers:
            rng = generator("mixture error")
            x = self.mixture.draw(DRAWS, rng)
            estimate = torch.full_like(x, self.mean)
            if octave is not None:
                sigma = 2 ** (octave / 2)
                estimate = self.mixture.denoise(
                    x + sigma * torch.from_numpy(rng.standard_normal(x.shape)), 1.0, sigma
                )
            power = torch.fft.rfft2((x - estimate).view(-1, SIDE, SIDE)).abs() ** 2
            self._powers[octave] = power.mean(0) / (SIDE * SIDE)
        return self._powers[octave]


@dataclass(frozen=True)
class PatchScene:
    """One patch of the mixture behind a circular blur and noise, with its exact posterior. [-1, 1] units, float64.

    Attributes:
        psf: (h, w), odd sides, unit sum.
        sigma: standard deviation of the noise.
        truth, y: (16, 16).
        posterior: of x given y.
    """

    psf: np.ndarray
    sigma: float
    truth: Tensor
    y: Tensor
    posterior: Mixture

    @classmethod
    def make(cls, mixture: Mixture, psf: np.ndarray, sigma: float, index: int) -> PatchScene:
        """The scene of that number: the same on every machine but for rounding."""
        rng = generator("mixture oracle", index)
        truth = mixture.draw(1, rng)[0]
        A = blur_matrix(psf)
        y = A @ truth + sigma * torch.from_numpy(rng.standard_normal(len(truth)))
        posterior = mixture.given(y, A, sigma)
        return cls(psf, sigma, truth.view(SIDE, SIDE), y.view(SIDE, SIDE), posterior)

    def blurred(self, x: Tensor) -> Tensor:
        """A x for patches (..., 16, 16)."""
        return torch.fft.ifft2(torch.fft.fft2(x) * transfer(self.psf, (SIDE, SIDE))).real


@lru_cache(maxsize=2)
def _basis() -> Tensor:
    return torch.eye(SIDE * SIDE, dtype=torch.float64).view(-1, SIDE, SIDE)


def blur_matrix(psf: np.ndarray) -> Tensor:
    """The circular blur of a patch as a matrix (d, d)."""
    columns = torch.fft.ifft2(torch.fft.fft2(_basis()) * transfer(psf, (SIDE, SIDE))).real
    return columns.flatten(1).T.contiguous()
