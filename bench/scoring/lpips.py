"""LPIPS: the linear layers of the ``lpips`` package on a backbone that the user has."""

from __future__ import annotations

import functools
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.scoring import backbones

if TYPE_CHECKING:
    from torch import Tensor


def distance(truth: np.ndarray, estimate: np.ndarray, net: str, weights: str = "") -> float | None:
    """LPIPS of two images (C, H, W) in [0, 1], C = 1 or 3; None without usable weights (logged once).

    Args:
        net: "alex" or "vgg".
        weights: path of the backbone's weights, see ``bench.scoring.backbones``.
    """
    model = _model(net, backbones.weights_file(net, weights))
    if model is None:
        return None
    import torch

    with torch.inference_mode():
        return float(model(_scaled(truth), _scaled(estimate)))


def _scaled(image: np.ndarray) -> Tensor:
    import torch

    x = torch.as_tensor(image, dtype=torch.float32)[None] * 2 - 1
    return x.expand(1, 3, -1, -1)


@functools.cache
def _model(net: str, path: Path | None) -> Any:
    """The network, or None; cached, so that the reason is logged once per process."""
    if path is None:
        return backbones.missing(f"lpips_{net}", net)
    try:
        return _load(net, path)
    except Exception as error:  # a broken file of any kind costs one column, not the run
        return backbones.unusable(f"lpips_{net}", path, error)


def _load(net: str, path: Path) -> Any:
    import lpips
    import torch

    # The random initialisation must not move the global generator, and lpips still uses torchvision's old argument.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    given = backbones.read(path)
    state = {key: given[re.sub(r"^slice\d+\.", "features.", key)] for key in model.net.state_dict()}
    model.net.load_state_dict(state)
    return model.eval().requires_grad_(False)
