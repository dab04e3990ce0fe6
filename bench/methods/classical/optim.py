"""Optimisation that several solvers share: weights, FISTA, a split of ADMM, and proximal operators.

Every quantity that steers an iteration (step, momentum, restart) is held per image, so that an image's iterates
do not depend on the batch it rides in.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bench.methods.classical.differences import Edges, difference_adjoint, differences
from bench.methods.classical.spectra import VARIANCE_FLOOR
from bench.methods.problem import Problem


def noise_variance(problem: Problem) -> Tensor:
    """Mean noise variance of each image (B, 1, 1, 1), never zero."""
    return problem.variance.clamp(min=VARIANCE_FLOOR)


def pixel_variance(problem: Problem) -> Tensor:
    """Noise variance gain max(y, 0) + sigma² of each pixel (B, C, H, W), y smoothed over 3 × 3 pixels, never zero.

    Where no picture has photon noise: one number for each, (B, 1, 1, 1).
    """
    gain, sigma = (v.view(-1, 1, 1, 1) for v in problem.noise)
    if not bool((gain > 0).any()):
        return noise_variance(problem)
    padded = functional.pad(problem.y, (1, 1, 1, 1), mode="replicate")
    return (gain * functional.avg_pool2d(padded, 3, 1).clamp(min=0) + sigma**2).clamp(min=VARIANCE_FLOOR)


def tv_weight(problem: Problem, lam: float) -> Tensor:
    """The weight lam sigma^(3/2) of TV(x) beside |A x - y|^2 / 2: one ``lam`` suits noise of any level.

    On the validation pictures of ``photos``, the best weight grows as sigma^1.49 from 1 to 16 grey levels
    (benchmarks/evidence/defaults.py): slower than the sigma^2 of a fixed prior, faster than the sigma of denoising.
    """
    return lam * noise_variance(problem) ** 0.75


def fista(
    x: Tensor,
    gradient: Callable[[Tensor], Tensor],
    prox: Callable[[Tensor], Tensor],
    step: Tensor | float,
    steps: int,
) -> Tensor:
    """Minimise f + g by FISTA with gradient-based restart, image by image.

    Beck & Teboulle 2009, "A fast iterative shrinkage-thresholding algorithm", eq. (4.1)-(4.3); the momentum of an
    image is reset when it points uphill (O'Donoghue & Candes 2015, "Adaptive restart", sec. 3.2), which removes
    the ripples of FISTA without evaluating the objective.

    Args:
        x: start (B, ...).
        gradient: x -> gradient of the smooth term f at x.
        prox: v -> argmin_u g(u) * step + |u - v|^2 / 2, the step already inside.
        step: 1 / L with L a Lipschitz constant of ``gradient``; a number, or (B, 1, 1, 1).
        steps: number of iterations, the same for every image.
    """
    z, t = x, _per_image(x.new_ones(len(x)), x)
    for _ in range(steps):
        x_next = prox(z - step * gradient(z))  # (4.1)
        uphill = _per_image(image_sums((z - x_next) * (x_next - x)) > 0, x)
        t = torch.where(uphill, 1.0, t)
        t_next = (1 + (1 + 4 * t**2).sqrt()) / 2  # (4.2)
        z = x_next + torch.where(uphill, 0.0, (t - 1) / t_next) * (x_next - x)  # (4.3)
        x, t = x_next, t_next
    return x


def image_sums(x: Tensor) -> Tensor:
    """The sum of each image (B, ...) -> (B,), to the last bit the same whatever the batch.

    One reduction per image: a single ``x.sum((1, 2, 3))`` may be split over threads differently for another B.
    """
    x = x.contiguous()
    return x.sum().view(1) if len(x) == 1 else torch.stack([image.sum() for image in x])


def _per_image(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.ndim - 1))


def data_step(psf: Tensor) -> Tensor:
    """1 / L of x -> A^T (A x - y), (B, 1, 1, 1): the norm of a convolution is at most the sum of its |kernel|."""
    return 1 / _per_image(image_sums(psf.abs()) ** 2, psf)


class GradientSplit:
    """The split u = D x of ADMM for lam TV(x), in place: u by shrinkage, d its scaled multiplier.

    One array carries both: with w = D x + d before the shrinkage, d is the projection of w on the balls of radius
    tau = lam / penalty, and u = w - d.

    Args:
        x: start (B, C, H, W); u starts at D x, d at 0.
        tau: shrinkage threshold, lam over the penalty of the split.
        relaxation: D x is replaced by relaxation * D x + (1 - relaxation) * u (Eckstein & Bertsekas 1992).
    """

    def __init__(self, x: Tensor, tau: float, relaxation: float = 1.0):
        self.tau, self.relaxation = tau, relaxation
        self.w = differences(x)
        self.d = torch.zeros_like(self.w)
        self.field = torch.empty_like(self.w)

    def update(self, x: Tensor) -> Tensor:
        """One update of u and d; returns D^T (u - d), what the next x-update needs."""
        moved = differences(x, out=self.field).add_(self.d)
        # relaxation * D x + (1 - relaxation) * (w - d) + d
        w = self.w.lerp_(moved, self.relaxation)
        scale = w[0].square()
        scale.addcmul_(w[1], w[1]).rsqrt_().mul_(self.tau).clamp_(max=1)
        torch.mul(w, scale, out=self.d)
        return difference_adjoint(torch.sub(w, self.d, alpha=2, out=self.field))


def soft_threshold(x: Tensor, tau: Tensor | float) -> Tensor:
    """Proximal operator of tau |x|_1: sign(x) max(|x| - tau, 0). ``tau`` is a number or broadcasts against x."""
    return x.sign() * (x.abs() - tau).clamp(min=0)


def project_balls(d: Tensor, radius: Tensor | float) -> Tensor:
    """Project each vector of a field (2, ...) onto the ball of that radius; what it cuts off is the shrinkage."""
    return d * (radius / torch.hypot(d[0], d[1]).clamp(min=1e-30)).clamp(max=1)


def prox_tv(
    v: Tensor,
    tau: Tensor | float,
    steps: int,
    dual: Tensor | None = None,
    edges: Edges = "neumann",
    bounds: tuple[float, float] | None = None,
) -> tuple[Tensor, Tensor]:
    """argmin_u |u - v|^2 / 2 + tau TV(u), u within ``bounds``, by fast gradient projection on the dual.

    Beck & Teboulle 2009, "Fast gradient-based algorithms for constrained total variation image denoising and
    deblurring problems", algorithm FGP, with their p and r multiplied by tau: |p| <= tau, so tau = 0 is allowed.

    Args:
        v: images (B, C, H, W).
        tau: a number, or (B, 1, 1, 1).
        steps: inner iterations.
        dual: (2, B, C, H, W), the field that an earlier call returned for a nearby v (a warm start).
        edges: how the difference at the last row and column is taken.
        bounds: (low, high) of u.

    Returns:
        u, and the dual field to start the next call from.
    """
    p = v.new_zeros((2, *v.shape)) if dual is None else dual
    r, t = p, 1.0

    def primal(field: Tensor) -> Tensor:
        u = v - difference_adjoint(field, edges)
        return u if bounds is None else u.clamp(*bounds)

    for _ in range(steps):
        # 1/8 bounds the reciprocal norm of D D^T in two dimensions (their lemma 4.2).
        p_next = project_balls(r + differences(primal(r), edges) / 8, tau)
        t_next = (1 + (1 + 4 * t**2) ** 0.5) / 2
        r = p_next + (t - 1) / t_next * (p_next - p)
        p, t = p_next, t_next
    return primal(p), p


def prox_poisson_gaussian(v: Tensor, y: Tensor, gain: Tensor, sigma: Tensor, weight: Tensor | float) -> Tensor:
    """argmin_x weight * (x - v)^2 / 2 - log p(y | x) under y ~ gain Poisson(x / gain) + N(0, sigma^2).

    The likelihood is the shifted Poisson (Snyder et al. 1995, "Compensation for readout noise in CCD images"):
    y + sigma^2 / gain is taken as gain times a Poisson count of mean (x + sigma^2 / gain) / gain, as whose root
    Figueiredo & Bioucas-Dias 2010 find x. Multiplied by gain the root is that of gain x^2 + b x - c = 0, which
    stays exact at gain = 0, where the noise is Gaussian.

    Args:
        v: images (B, C, H, W).
        y: measurements (B, C, H, W).
        gain: of the photon noise (B, 1, 1, 1), in [0, 1] units.
        sigma: of the read noise (B, 1, 1, 1), in [0, 1] units, positive where the gain is 0.
        weight: positive, a number or (B, 1, 1, 1).
    """
    b = sigma**2 + 1 / weight - gain * v
    # A shifted count cannot be negative: gain y >= -sigma^2.
    c = sigma**2 * v + torch.where(gain > 0, y.maximum(-(sigma**2) / gain.clamp(min=1e-30)), y) / weight
    root = (b**2 + 4 * gain * c).clamp(min=0).sqrt()
    # Two forms of the larger root; each cancels where the other does not.
    return torch.where(b > 0, 2 * c / (b + root).clamp(min=1e-30), (root - b) / (2 * gain).clamp(min=1e-30))
