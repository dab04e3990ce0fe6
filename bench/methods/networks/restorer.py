"""A trained restorer: blurred image in, estimate out, in one evaluation, at any size."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from bench.methods.networks.convir import ConvIR, ConvIRConfig
from bench.methods.networks.swinir import SwinIR, SwinIRConfig

RestorerConfig = ConvIRConfig | SwinIRConfig


class Restorer(nn.Module):
    """A network that maps measurements to estimates, both in [0, 1] units.

    Attributes:
        network: takes sides that are multiples of its stride; returns estimates from fine to coarse.
        card: how and on what the weights were trained.
    """

    def __init__(self, network: nn.Module, config: RestorerConfig, card: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.network, self.config = network, config
        self.card = card or {}

    @property
    def channels(self) -> int:
        """Channels of an image: 1 or 3."""
        return self.config.image_channels

    @property
    def frames(self) -> int:
        """Images that it takes, one after the other in the channels; it restores the middle one."""
        return self.config.frames

    def forward(self, y: Tensor) -> Tensor:
        """The estimate (B, C, H, W) of y (B, frames C, H, W): the edge is repeated up to a size that fits."""
        H, W = y.shape[-2:]
        stride, least = self.config.stride, self.config.least
        bottom, right = (max(n + -n % stride, least) - n for n in (H, W))
        padded = pad(y, (0, right, 0, bottom), mode="replicate") if bottom or right else y
        return self.network(padded)[0][..., :H, :W]


def build(config: RestorerConfig, card: dict[str, Any] | None = None) -> Restorer:
    """An untrained restorer."""
    return Restorer(ConvIR(config) if isinstance(config, ConvIRConfig) else SwinIR(config), config, card)
