"""A trained diffusion prior: a network, its noise schedule and what its output means."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.methods.diffusion.error_spectrum import ErrorPower
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks.attention_unet import AttentionUNet, AttentionUNetConfig
from bench.methods.networks.res_unet import ResUNet, ResUNetConfig
from bench.methods.networks.unet import UNet, UNetConfig

NetworkConfig = UNetConfig | ResUNetConfig | AttentionUNetConfig
Prediction = Literal["epsilon", "v"]


class DiffusionPrior(nn.Module):
    """Denoiser of images in [-1, 1] under a variance-preserving schedule.

    Whatever the network was trained to predict, ``epsilon`` and ``x0`` give the noise and the clean image. With
    v = a ε - s x_0 (Salimans and Ho 2022, appendix D), x_0 = a x_t - s v keeps the network's error bounded at
    high noise, where x_0 = (x_t - s ε)/a divides it by a.

    Attributes:
        schedule: noise levels.
        prediction: "epsilon" or "v".
        card: how and on what the weights were trained.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, prediction: Prediction, card: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule
        self.prediction: Prediction = prediction
        self.card = card or {}

    @property
    def channels(self) -> int:
        """Of its images: 1 for gray, 3 for RGB."""
        config = getattr(self.network, "config", None)
        return getattr(config, "image_channels", 1)

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.network.config.stride if isinstance(self.network, UNet | ResUNet | AttentionUNet) else 1

    @cached_property
    def _error(self) -> ErrorPower | None:
        return ErrorPower.of(self.card["calibration"]) if "calibration" in self.card else None

    @property
    def mean(self) -> float | None:
        """Mean intensity of the training images, in [-1, 1], where the card has it."""
        return None if self._error is None else self._error.mean

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:
        """As measured on training images, where the card has it."""
        return None if self._error is None else self._error(sigma, shape, like)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The network's raw prediction, (B, C, H, W), at x_t and real steps t (B,) in [0, N - 1]."""
        return self.network(x, t.to(x.dtype))

    def epsilon(self, x: Tensor, t: Tensor) -> Tensor:
        """E[ε | x_t], (B, C, H, W)."""
        out = self(x, t)
        a, s = self._scales(x, t)
        return out if self.prediction == "epsilon" else a * out + s * x

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t], (B, C, H, W), not clipped."""
        return self.x0_from(self(x, t), x, t)

    def x0_from(self, out: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """x_0 according to a raw prediction ``out`` at x_t."""
        a, s = self._scales(x, t)
        return (x - s * out) / a if self.prediction == "epsilon" else a * x - s * out

    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """(x_t, what the network should predict there) for clean images and unit noise."""
        a, s = self._scales(x0, t)
        return a * x0 + s * noise, noise if self.prediction == "epsilon" else a * noise - s * x0

    def denoise(self, y: Tensor, sigma: Tensor) -> Tensor:
        """E[x | y = x + sigma n] in one evaluation; y (B, C, H, W) in [-1, 1] units, sigma (B,) in the same."""
        t = self.schedule.time(sigma)
        a, _ = self._scales(y, t)
        return self.x0(a * y, t)

    def _scales(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        a, s = self.schedule.scales(t)
        shape = (-1,) + (1,) * (x.ndim - 1)
        return a.to(x.dtype).view(shape), s.to(x.dtype).view(shape)


def build(
    network: NetworkConfig, schedule: dict[str, Any], prediction: Prediction, card: dict[str, Any] | None = None
) -> DiffusionPrior:
    """An untrained prior. ``schedule``: the arguments of ``Schedule.make``."""
    levels = Schedule.make(**schedule)
    return DiffusionPrior(_module(network, levels), levels, prediction, card)


def _module(network: NetworkConfig, schedule: Schedule) -> nn.Module:
    if isinstance(network, ResUNetConfig):
        return ResUNet(network, schedule)
    return UNet(network) if isinstance(network, UNetConfig) else AttentionUNet(network)


def scalar(value: float, like: Tensor) -> Tensor:
    """``value`` for each image of a batch: float64 (B,)."""
    return torch.full((len(like),), value, dtype=torch.float64, device=like.device)
