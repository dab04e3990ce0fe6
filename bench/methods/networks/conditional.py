"""Conditional diffusion: a denoiser that sees the measurement beside x_t (study 001; Saharia et al. 2022)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks.fold import fold, refuse_sides, unfold
from bench.methods.networks.prior import DiffusionPrior, Prediction
from bench.methods.networks.restorer import Restorer, RestorerConfig
from bench.methods.networks.restorer import build as build_restorer
from bench.methods.networks.unet import check_levels, unet2d


class ConditionalConfig(BaseModel):
    """The U-Net that predicts from [x_t, y], and what study 001's Table 1 changes about it.

    Attributes:
        channels: width of each level; every level but the last halves the sides.
        layers: residual blocks per level.
        attention: which levels have self-attention.
        head_dim: channels per attention head; None for a single head.
        biggan: residual blocks as in BigGAN: they halve and double the sides themselves, and scale and shift with t.
        space_to_depth: side r of the r × r pixel blocks that are folded into channels; 1 for none.
        image_channels: 1 for gray, 3 for colour.
        predictor: a restorer g: the diffusion then models the residual x - g(y) and sees g(y) beside y (Whang et
            al. 2022).
        informed: no longer blind: the network, and its predictor, see the Wiener estimate, made with PSF and noise
            level and clipped, beside y. Without a predictor the filter takes the place of g.
        residual_scale: the residual, in [-1, 1] units, is multiplied by this.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["conditional_unet2d"]
    channels: tuple[int, ...] = Field(min_length=1)
    layers: int = Field(default=2, ge=1)
    attention: tuple[bool, ...]
    head_dim: int | None = Field(default=None, ge=1)
    biggan: bool = False
    space_to_depth: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    groups: int = Field(default=32, ge=1)
    image_channels: Literal[1, 3] = 1
    predictor: RestorerConfig | None = Field(default=None, discriminator="kind")
    residual_scale: float = Field(default=4.0, gt=0)
    informed: bool = False

    @model_validator(mode="after")
    def _fits(self) -> ConditionalConfig:
        check_levels(self.channels, self.attention, self.groups)
        if self.predictor is not None and self.predictor.image_channels != self.image_channels:
            raise ValueError("the predictor must have the image_channels of the network")
        if self.predictor is not None and self.predictor.informed != self.informed:
            raise ValueError("the predictor must be informed if the network is, and blind if it is not")
        if self.predictor is not None and self.predictor.frames != 1:
            raise ValueError("the predictor must take single images")
        return self

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        own = self.space_to_depth * 2 ** (len(self.channels) - 1)
        return own if self.predictor is None else max(own, self.predictor.stride)

    @property
    def least(self) -> int:
        """The smallest side."""
        return self.stride if self.predictor is None else max(self.stride, self.predictor.least)


class ConditionalUNet(nn.Module):
    """A U-Net on x_t and what it is given, folded: (B, C, H, W), (B,), (B, k C, H, W) -> (B, C, H, W)."""

    def __init__(self, config: ConditionalConfig) -> None:
        super().__init__()
        self.config = config
        folded = config.image_channels * config.space_to_depth**2
        inputs = (2 + config.informed + (config.predictor is not None)) * folded
        self.unet = unet2d(config, inputs, folded, biggan=config.biggan)
        self.predictor = None if config.predictor is None else build_restorer(config.predictor)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, t: Tensor, given: Tensor) -> Tensor:
        """The prediction at x_t and real steps t. Raises SettingError for sides off the stride."""
        refuse_sides(x, self.config.stride, self.config.least)
        folded = fold(torch.cat([x, given], 1), self.config.space_to_depth)
        return unfold(self.unet(folded, t), self.config.space_to_depth)


class Conditional(nn.Module):
    """p(x | y) as a diffusion model of images in [-1, 1]: fix y, and what is left is a ``DiffusionPrior``.

    Attributes:
        network: the U-Net, with its predictor if there is one.
        schedule: noise levels.
        prediction: "epsilon" or "v".
        card: how and on what the weights were trained.
    """

    def __init__(
        self,
        network: ConditionalUNet,
        schedule: Schedule,
        prediction: Prediction,
        card: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.schedule = network, schedule
        self.prediction: Prediction = prediction
        self.card = card or {}

    @property
    def channels(self) -> int:
        """Channels of an image: 1 or 3."""
        return self.network.config.image_channels

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.network.config.stride

    @property
    def size(self) -> int:
        """Side of the images that it was trained on."""
        return int(self.card["size"])

    @property
    def informed(self) -> bool:
        """Whether it sees the Wiener estimate beside y."""
        return self.network.config.informed

    @property
    def predictor(self) -> Restorer | None:
        """g, of a model of the residual."""
        return self.network.predictor

    def given(self, condition: Tensor) -> DiffusionPrior:
        """The diffusion model of what is unknown, given ``condition`` (see ``Condition``)."""
        return DiffusionPrior(_Given(self.network, condition), self.schedule, self.prediction)

    def condition(self, y: Tensor) -> Condition:
        """What y (B, C, H, W) in [-1, 1] units fixes; one evaluation of the predictor, if there is one.

        Of an informed network y is (B, 2 C, H, W): the measurement, then its Wiener estimate.
        """
        scale = self.network.config.residual_scale
        if self.predictor is None:
            return Condition(y, y[:, self.channels :], scale) if self.informed else Condition(y, None, 1.0)
        estimate = 2 * self.predictor((y + 1) / 2) - 1
        return Condition(torch.cat([y, estimate], 1), estimate, scale)


class Condition:
    """What the network is given beside x_t, and how the unknown u that diffusion models relates to the image.

    u = x, or u = scale (x - g(y)) with a predictor or the Wiener filter as g.
    """

    def __init__(self, given: Tensor, estimate: Tensor | None, scale: float) -> None:
        self.given, self.estimate, self.scale = given, estimate, scale

    def encode(self, x: Tensor) -> Tensor:
        """u of images x."""
        return x if self.estimate is None else self.scale * (x - self.estimate)

    def decode(self, u: Tensor) -> Tensor:
        """x of u."""
        return u if self.estimate is None else self.estimate + u / self.scale


class _Given(nn.Module):
    """The network as a function of x_t and t alone."""

    def __init__(self, network: ConditionalUNet, given: Tensor) -> None:
        super().__init__()
        self.network, self.given = network, given

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.network(x, t, self.given)


def build(
    config: ConditionalConfig, schedule: dict[str, Any], prediction: Prediction, card: dict[str, Any] | None = None
) -> Conditional:
    """An untrained model. ``schedule``: the arguments of ``Schedule.make``."""
    return Conditional(ConditionalUNet(config), Schedule.make(**schedule), prediction, card)
