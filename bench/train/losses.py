"""Losses: of diffusion models, at noise levels that count alike, and of restorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from bench.seeds import generator

if TYPE_CHECKING:
    from bench.methods.diffusion.schedule import Schedule
    from bench.train.recipe.base import NoiseConfig
    from bench.train.recipe.restoration import RestorationLoss


def draw_times(schedule: Schedule, noise: NoiseConfig, n: int, key: tuple[object, ...]) -> Tensor:
    """Real steps t for n images, float64: a share ``noise.uniform`` uniform in t, the rest of log-normal σ."""
    rng = generator("times", *key)
    sigma = torch.from_numpy(rng.standard_normal(n) * noise.log_std + noise.log_mean).exp()
    uniform = torch.from_numpy(rng.random(n)) * (len(schedule) - 1)
    return torch.where(torch.from_numpy(rng.random(n)) < noise.uniform, uniform, schedule.time(sigma))


class Balance:
    """Running mean of the squared error per noise level, to divide the loss by.

    The error of a good denoiser differs by orders of magnitude between noise levels; what a restoration gains is
    its relative reduction (decibels). Dividing by the running mean is the closed form of the learned uncertainty
    weighting of Karras et al. 2024 (EDM2, eq. 22), with one constant per bin of log σ in place of a network.

    Attributes:
        mean: float64 (bins,), running mean squared error.
        count: int64 (bins,), images seen.
    """

    def __init__(self, schedule: Schedule, bins: int = 24, memory: float = 0.999) -> None:
        ends = schedule.log_sigmas[[0, -1]]
        self.edges = torch.linspace(float(ends[0]), float(ends[1]), bins + 1, dtype=torch.float64)[1:-1]
        self.memory = memory
        self.mean = torch.ones(bins, dtype=torch.float64)
        self.count = torch.zeros(bins, dtype=torch.int64)

    def weights(self, sigma: Tensor) -> Tensor:
        """1 / mean of each image's level, float32 (B,)."""
        return (1 / self.mean[self._bin(sigma)].clamp(min=1e-8)).float()

    def update(self, sigma: Tensor, errors: Tensor) -> None:
        """Take the squared errors (B,) of one batch into the means."""
        for b, error in zip(self._bin(sigma).tolist(), errors.detach().double().cpu().tolist(), strict=True):
            self.count[b] += 1
            rate = max(1 - self.memory, 1 / float(self.count[b] + 1))
            self.mean[b] += rate * (error - self.mean[b])

    def _bin(self, sigma: Tensor) -> Tensor:
        return torch.bucketize(sigma.double().cpu().log(), self.edges)


def balanced(balance: Balance, weighted: bool, sigma: Tensor, errors: Tensor) -> Tensor:
    """Mean of the errors (B,), each over the running mean of its noise level where ``weighted``."""
    return ((balance.weights(sigma).to(errors.device) if weighted else 1.0) * errors).mean()


def frequency_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """Study 003's loss: mean absolute difference of the magnitudes of the unnormalised 2-D FFTs, a scalar."""
    return (torch.fft.fft2(estimate).abs() - torch.fft.fft2(truth).abs()).abs().mean()


def restoration(config: RestorationLoss, outputs: Sequence[Tensor], x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of estimates, from fine to coarse, of x (B, C, H, W): a scalar, and its parts if it has any."""
    if config.name == "multiscale":
        spatial, frequency = multiscale([o.float() for o in outputs], x)
        return spatial + config.frequency * frequency, {"spatial": spatial, "frequency": frequency}
    difference = outputs[0].float() - x
    return difference.abs().mean() if config.name == "l1" else (difference.square() + 1e-6).sqrt().mean(), {}


def multiscale(outputs: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_i mean |x̂_i - x_i| and Σ_i mean |(Re, Im) F x̂_i - (Re, Im) F x_i|, with F the unnormalised 2-D FFT.

    Study 004, equations 3 and 4; the loss is the first plus λ times the second (5). Truths of the coarser scales are
    bilinear samples of x. A network with one output has one term.
    """
    spatial, frequency = x.new_zeros(()), x.new_zeros(())
    for out in outputs:
        truth = x if out.shape == x.shape else interpolate(x, out.shape[-2:], mode="bilinear")
        difference = out - truth
        spatial = spatial + difference.abs().mean()
        frequency = frequency + torch.view_as_real(torch.fft.fft2(difference)).abs().mean()  # F is linear
    return spatial, frequency


def gradient_norm(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """The Euclidean norm of the gradient of the loss in all parameters, itself differentiable."""
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    return torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt()
