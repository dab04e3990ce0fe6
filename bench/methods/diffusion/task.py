"""A deblurring problem in a diffusion model's terms: images in [-1, 1] of the prior's channels, on their canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from bench.imaging.blur import convolve, otf
from bench.methods.classical.conjugate_gradients import conjugate_gradients
from bench.methods.classical.optim import noise_variance, pixel_variance
from bench.methods.classical.padding import pad
from bench.methods.diffusion.colours import convolve_opponent, shared_channels
from bench.methods.diffusion.levels import Level, at_sigma
from bench.methods.problem import Problem

Photons = Literal["pixel", "mean"]


class Task:
    """y = A x + n with x on a canvas of its own and n of known variance, everything in [-1, 1] units.

    On ``valid`` data the canvas holds the whole scene that the sensor's pixels draw on, rounded up to the network's
    stride: A blurs it periodically and keeps what the sensor saw, so that nothing is assumed about the outside and
    the prior paints it. On ``circular`` data the canvas is the image.

    A gray prior, of one channel, takes the colours of a picture for independent gray images: n = B C images of c = 1
    channel. A prior of the picture's C channels takes them jointly: n = B images of c = C channels, with one kernel
    and one noise level each. Anything else is refused.

    Args:
        problem: with blur, noise level and prior.
        photons: "pixel": the noise has the variance gain max(y, 0) + sigma² of each pixel, with y smoothed over
            3 × 3 pixels; "mean": that of the mean intensity everywhere.

    Attributes:
        channels: c.
        y: (n, c, H, W).
        variance: of the noise, (n, c, H, W) or (n, 1, 1, 1).
        shape: (H', W') of the canvas.
        prior: the denoiser.

    Raises SettingError for a prior whose channels fit neither way.
    """

    def __init__(self, problem: Problem, photons: Photons = "pixel"):
        self.problem, self.prior, self.blur = problem, problem.prior, problem.blur
        self.channels = shared_channels(self.prior.channels, problem.y.shape[1])
        self.y = 2 * self._images(problem.y) - 1
        self.variance = 4 * self._variance(photons)
        psf = self.blur.psf.repeat_interleave(problem.y.shape[1] // self.channels, 0)
        self.shape = self._canvas()
        self.K = otf(psf, self.shape)
        (H, W), (a, b), (Hc, Wc) = self.blur.shape, self.blur.margin, self.shape
        self._sensor = (..., slice(a, a + H), slice(b, b + W))
        self._outside = (b, Wc - W - b, a, Hc - H - a)

    @property
    def n(self) -> int:
        """Number of images: gray ones, or pictures with all their colours."""
        return len(self.y)

    @cached_property
    def sigma(self) -> Tensor:
        """Noise standard deviation (n, 1, 1, 1): root of the mean variance."""
        return torch.stack([v.mean() for v in self.variance]).sqrt().view(-1, 1, 1, 1)

    @cached_property
    def gain(self) -> Tensor:
        """|K|² on the canvas."""
        return self.K.abs() ** 2

    @cached_property
    def sensor_gain(self) -> Tensor:
        """|K|² on the sensor's pixels, were they a torus."""
        H, W = self.y.shape[-2:]
        if self.shape == (H, W):
            return self.gain
        return otf(self.blur.psf, (H, W)).repeat_interleave(self.n // len(self.blur.psf), 0).abs() ** 2

    # --- the forward operator ---------------------------------------------------------------------------------

    def A(self, x: Tensor) -> Tensor:
        """Blur canvases (n, c, H', W') into measurements (n, c, H, W)."""
        self.problem.cost.n_A += 1
        return self.crop(convolve(x, self.K))

    def At(self, r: Tensor) -> Tensor:
        """The exact adjoint of ``A``."""
        self.problem.cost.n_At += 1
        return convolve(self.extend(r), self.K.conj())

    def crop(self, x: Tensor) -> Tensor:
        """The pixels of a canvas that the sensor saw."""
        return x[self._sensor]

    def extend(self, r: Tensor) -> Tensor:
        """The adjoint of ``crop``: zeros outside the sensor."""
        return functional.pad(r, self._outside) if any(self._outside) else r

    def mirrored(self) -> Tensor:
        """y on the canvas, (n, c, H', W'), mirrored into what the stride adds: for data that are not blurred."""
        (H, W), (Hc, Wc) = self.blur.shape, self.shape
        return pad(self.y, (0, Wc - W, 0, Hc - H), "reflect")

    # --- the data step ----------------------------------------------------------------------------------------

    def shift(self, r: Tensor, C: Tensor, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """C Aᵀ λ with (A C Aᵀ + Σ) λ = r: the shift of a Gaussian N(x_0, C)'s mean when y - A x_0 = r is seen.

        Args:
            r: residuals (n, c, H, W).
            C: power spectrum of the covariance on the canvas: (H', W'//2 + 1) or (n, 1, ...) or a number's tensor,
                the same for all channels; or (c, H', W'//2 + 1), of each opponent component (see ``colours``).
            start: λ of a similar system, to begin with.

        Returns:
            The shift (n, c, H', W') and λ (n, c, H, W).
        """
        multiplier = self.solve(r, C, start)
        self.problem.cost.n_At += 1
        return convolve_opponent(self.extend(multiplier), self.K.conj() * C), multiplier

    def solve(self, r: Tensor, C: Tensor, start: Tensor | None = None) -> Tensor:
        """λ of (A C Aᵀ + Σ) λ = r: by FFT where A C Aᵀ + Σ is a convolution, else by conjugate gradients."""
        power = C * self.gain
        mean = self.sigma**2
        inverse = 1 / (power + mean)

        def precondition(v: Tensor) -> Tensor:
            return self.crop(convolve_opponent(self.extend(v), inverse))

        if self.shape == self.blur.shape and self.variance.shape == mean.shape:
            return precondition(r)

        def system(v: Tensor) -> Tensor:
            return self.crop(convolve_opponent(self.extend(v), power)) + self.variance * v

        return conjugate_gradients(system, r, precondition, start)

    def wiener(self) -> Tensor:
        """The linear estimate under the prior's own power spectrum: E[x | y] were images Gaussian."""
        C = self.prior.error_power(math.inf, self.shape, self.y)
        mean = self.y.new_full((self.n, self.channels, *self.shape), self.prior.mean)
        return mean + self.shift(self.y - self.A(mean), C)[0]

    # --- the prior --------------------------------------------------------------------------------------------

    def x0(self, x: Tensor, level: Level | Sequence[Level]) -> Tensor:
        """E[x_0 | x_t] of canvases; ``level``: of all images, or of each."""
        return self.prior.x0(x, level)

    def denoised(self, x: Tensor, sigmas: Sequence[float]) -> Tensor:
        """E[x_0 | x = x_0 + σ n], each image with its own σ."""
        levels = [at_sigma(self.prior.schedule, s) for s in sigmas]
        return self.x0(x * x.new_tensor([v.a for v in levels]).view(-1, 1, 1, 1), levels)

    def noise(self) -> Tensor:
        """Standard normal noise (n, c, H', W'), each picture's from its own generator."""
        return self._images(self.problem.randn(self.problem.y.shape[1], *self.shape))

    def sensor_noise(self) -> Tensor:
        """Standard normal noise (n, c, H, W), each picture's from its own generator."""
        return self._images(self.problem.randn(*self.problem.y.shape[1:]))

    def estimate(self, x: Tensor) -> Tensor:
        """What the solver returns for canvases x: (B, C, H, W) in [0, 1] units."""
        return ((self.crop(x) + 1) / 2).reshape(self.problem.y.shape)

    # --- private ----------------------------------------------------------------------------------------------

    def _images(self, x: Tensor) -> Tensor:
        """(B, C, ...) as (n, c, ...)."""
        return x.reshape(-1, self.channels, *x.shape[-2:])

    def _canvas(self) -> tuple[int, int]:
        H, W = self.blur.scene_shape
        if self.blur.boundary == "circular":
            return H, W
        return H + -H % self.prior.stride, W + -W % self.prior.stride

    def _variance(self, photons: Photons) -> Tensor:
        variance = noise_variance(self.problem) if photons == "mean" else pixel_variance(self.problem)
        if variance.shape[-2:] != self.problem.y.shape[-2:]:
            # One number for each picture, whatever its colours: n of them.
            return variance.repeat_interleave(self.problem.y.shape[1] // self.channels, 0)
        return self._images(variance)
