"""Denoisers of deepinv, and others called as they are, as priors: units, ranges of σ and the traps of each class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench.errors import SettingError, did_you_mean
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.schedule import Schedule
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser
from bench.methods.libraries.deepinv_models import ModelSpec
from bench.methods.networks.predictions import NetworkPrior
from bench.plugins.import_path import import_object


class Known(NamedTuple):
    """What the publication of a class of networks says of it.

    Attributes:
        high: highest σ of its training, in grey levels of 255 (the lowest is 0); None where it has one σ or is blind
            to it in a range that was not published.
        stride: what sides must be multiples of.
        options: keywords that its published weights need.
    """

    high: float | None
    stride: int = 1
    options: Mapping[str, Any] = {}


KNOWN: dict[str, Known] = {
    "DRUNet": Known(50, 8),  # Zhang et al. 2021 (DPIR)
    "GSDRUNet": Known(50, 8),  # Hurault, Leclaire and Papadakis 2022
    "FFDNet": Known(75, 2),  # Zhang, Zuo and Zhang 2018
    "Restormer": Known(50, 8),  # Zamir et al. 2022, blind to σ
    "DnCNN": Known(None),  # deepinv's weights: one σ of 2
    "SwinIR": Known(None, 8),  # one σ of 15, 25 or 50
    "SCUNet": Known(None),  # blind to σ, and to what is no noise
    # EDM's weights: images in [-1, 1] of a standard deviation of 0.5, which deepinv knows only of its own downloads.
    "NCSNpp": Known(80 * 255 / 2, 8, {"_was_trained_on_minus_one_one": True, "pixel_std": 0.5}),
    "DiffUNet": Known(None, 32),
}


def denoiser_prior(
    model: str,
    path: str,
    channels: int,
    options: Mapping[str, Any] | None = None,
    low: float | None = None,
    high: float | None = None,
) -> PriorModel:
    """The prior behind a class of denoisers.

    Args:
        model: a class of ``deepinv.models``, or the import path of one that is called as model(x, σ), both in [0, 1].
        path: its weights; "" for a denoiser without.
        channels: of images.
        options: keywords of the class.
        low, high: range of σ in [-1, 1] units; by default that of the training, where it was published.

    Raises SettingError, PluginError, WeightsError.
    """
    short = model.rpartition(".")[2]
    name = model if "." in model else f"deepinv.models.{model}"
    known = KNOWN.get(short, Known(None)) if name == f"deepinv.models.{short}" else Known(None)
    if "." not in model and model not in KNOWN:
        _require_in_deepinv(model)
    keywords = {**_channel_keywords(import_object(name), channels), **known.options, **(options or {})}
    network = ModelSpec.of(name, keywords, path).build()
    if short == "DiffUNet":
        return NetworkPrior(
            DiffUNetNoise(network), Schedule.make("linear"), channels=channels, stride=32, native_size=256
        )
    high = high if high is not None else None if known.high is None else 2 * known.high / 255
    if high is None:
        raise SettingError(
            f"deepinv_denoiser: no range of σ is published for {short} (its weights have one σ, or do not ask): "
            "give low and high, in [-1, 1] units, between which samplers may use it"
        )
    return DeepinvDenoiser(network, low or 0.0, high, channels=channels, stride=known.stride)


def _require_in_deepinv(model: str) -> None:
    import deepinv

    if not hasattr(deepinv.models, model):
        raise SettingError(f"deepinv_denoiser: deepinv.models has no {model}. {did_you_mean(model, KNOWN)}")


#: How classes call the channels of their images.
CHANNEL_KEYWORDS = ("in_channels", "out_channels", "in_nc", "in_chans", "img_channels")


def _channel_keywords(make: Any, channels: int) -> dict[str, int]:
    return {k: channels for k in CHANNEL_KEYWORDS if k in inspect.signature(make).parameters}


class DeepinvDenoiser(SigmaDenoiser):
    """model(x, σ) with both in [0, 1] units."""

    def __init__(self, network: nn.Module, low: float, high: float, *, channels: int, stride: int = 1) -> None:
        self.network: Any = network
        super().__init__(low, high, channels=channels, stride=stride)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """[-1, 1] outside, [0, 1] inside."""
        if hasattr(self.network, "detach"):  # GSDRUNet cuts the gradient through itself unless told not to
            self.network.detach = not torch.is_grad_enabled()
        return 2 * self.network((x + 1) / 2, sigma / 2) - 1


class DiffUNetNoise(nn.Module):
    """The noise that deepinv's DiffUNet predicts, without what its ``forward`` adds.

    That takes the nearest step of its table, pads sides circularly, cuts pictures of 520 px and more into patches
    that share nothing, and clips what it returns.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1], sides multiples of 32, real steps t (B,) -> noise, variance after it."""
        return self.network.forward_diffusion(x, t)
