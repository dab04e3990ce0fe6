"""What the rows of other libraries share: one image and one channel at a time, in float64, no state between.

A library row measures somebody else's implementation. To be fair to it, it gets the same operator, the same noise
level and the best padding that we know; to be fair to the table, every image is solved on its own, in a fresh
object, so that no state or stopping test of the library reaches from one image into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from bench.contracts import NoiseLevel
from bench.imaging.blur import Blur, Boundary
from bench.methods.classical.optim import noise_variance
from bench.methods.classical.padding import pad
from bench.methods.diffusion.colours import shared_channels
from bench.methods.problem import Problem

if TYPE_CHECKING:
    from pylops import LinearOperator


class Plane(NamedTuple):
    """One channel of one image.

    Attributes:
        y: measurement, float64 (H, W), or a padded one.
        psf: impulse response, float64 (h, w), centre at size // 2.
        sigma: standard deviation of the noise, from its mean variance over the image; never zero.
        start: y with its edges repeated to the size of the scene, float64: where iterations begin.
        blur: the operator of this image, a batch of one in float64 (of the unpadded image).
        rng: the image's generator, handed on from channel to channel.
    """

    y: np.ndarray
    psf: np.ndarray
    sigma: float
    start: np.ndarray
    blur: Blur
    rng: np.random.Generator


def alone(problem: Problem, i: int, dtype: torch.dtype | None = None) -> Problem:
    """Image ``i`` as a Problem of its own, a batch of one; calls are counted where the whole batch's are."""
    blur, (gain, sigma) = problem.blur, problem.noise
    dtype, one = dtype or problem.y.dtype, slice(i, i + 1)
    return problem.replace(
        y=problem.y[one].to(dtype),
        blur=Blur(blur.psf[one].to(dtype), blur.shape, cast(Boundary, blur.boundary), problem.cost),
        noise=NoiseLevel(gain[one].to(dtype), sigma[one].to(dtype)),
        rng=(problem.rng[i],),
    )


def by_image(problem: Problem, solve: Callable[[Problem], Tensor]) -> Tensor:
    """Solve each image alone, then stack what ``solve`` returned, (1, C, H, W) each, in the type of y."""
    return torch.cat([solve(alone(problem, i)).to(problem.y) for i in range(len(problem.y))])


def by_prior(problem: Problem, solve: Callable[[int, slice], Tensor]) -> Tensor:
    """Solve what the prior sees as one image alone, and stack the estimates to (B, C, H, W).

    Args:
        solve: (i, channels of image i) -> (1, c, H, W): one channel with a gray prior, all of them with a colour one.
    """
    B, C = problem.y.shape[:2]
    c = shared_channels(problem.prior.channels, C)
    parts = [slice(k, k + c) for k in range(0, C, c)]
    return torch.cat([torch.cat([solve(i, part) for part in parts], 1) for i in range(B)]).to(problem.y)


def by_plane(problem: Problem, solve: Callable[[Plane], np.ndarray], y: Tensor | None = None) -> Tensor:
    """Solve each channel of each image alone, then stack the estimates to (B, C, ...) in the type of y.

    Args:
        problem: a batch.
        solve: Plane -> its estimate (H, W), of any one size.
        y: what the planes get as measurement instead of ``problem.y``, (B, C, any, any): a padded one.
    """
    y = problem.y if y is None else y
    images = []
    for i in range(len(y)):
        one, channels = alone(problem, i, torch.float64), y[i].to(torch.float64).cpu().numpy()
        images.append(np.stack([solve(_plane(one, channels, c)) for c in range(len(channels))]))
    return torch.from_numpy(np.stack(images)).to(problem.y)


def _plane(one: Problem, channels: np.ndarray, c: int) -> Plane:
    sigma = float(noise_variance(one).sqrt())
    start = scene_start(one)[0, c].cpu().numpy()
    return Plane(channels[c], one.psf[0, 0].cpu().numpy(), sigma, start, one.blur, one.rng[0])


def scene_start(problem: Problem) -> Tensor:
    """A first guess of the scene (B, C, *scene_shape): y, its edges repeated. A^T y is dark in the margin."""
    a, b = problem.blur.margin
    return pad(problem.y, (b, b, a, a), "edge")


def pylops_blur(blur: Blur) -> LinearOperator:
    """A of one image and channel as a pylops operator on flat float64 arrays: scene -> measurement."""
    from pylops import FunctionOperator

    (H, W), (h, w) = blur.shape, blur.scene_shape

    def forward(x: np.ndarray) -> np.ndarray:
        return _flat(blur.A(_image(x, h, w).to(blur.psf)))

    def adjoint(y: np.ndarray) -> np.ndarray:
        return _flat(blur.A_adjoint(_image(y, H, W).to(blur.psf)))

    return FunctionOperator(forward, adjoint, H * W, h * w, dtype="float64")


def pylops_split_bregman(
    plane: Plane, regularisers: Sequence[LinearOperator], eps: Sequence[float], **iterations: Any
) -> np.ndarray:
    """pylops' splitbregman from ``plane.start``: the scene (H, W).

    Args:
        regularisers: W_i of the |W_i x|_1.
        eps: epsRL1s, the weight of each over the noise standard deviation.
        iterations: mu, niter_outer, niter_inner and iter_lim of splitbregman; the rest is its deblurring tutorial's.
    """
    from pylops.optimization.sparsity import splitbregman

    x = splitbregman(
        pylops_blur(plane.blur),
        plane.y.ravel(),
        list(regularisers),
        x0=plane.start.ravel(),
        epsRL1s=[e * plane.sigma for e in eps],
        tol=1e-4,
        tau=1.0,
        damp=1e-4,
        **iterations,
    )[0]
    return x.reshape(plane.blur.scene_shape)


def _image(x: np.ndarray, h: int, w: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).view(1, 1, h, w)


def _flat(x: Tensor) -> np.ndarray:
    return x.cpu().numpy().ravel()


def impulse_response(psf: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The PSF in a form that scikit-image cannot take for a transfer function.

    It must be real: of a complex transfer function only the real part remains (scikit-image issue #7363). And a
    real one of the shape of the half spectrum would be used as if it were the spectrum: a column of zeros on either
    side changes the shape but not the centre.
    """
    H, W = shape
    return np.pad(psf, ((0, 0), (1, 1))) if psf.shape == (H, W // 2 + 1) else psf
