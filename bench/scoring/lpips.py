"""LPIPS with an AlexNet backbone that the user already has: nothing is ever downloaded.

The linear layers come with the ``lpips`` package. The backbone is looked for in ``BENCH_LPIPS_WEIGHTS`` (a .pth or
.safetensors file with torchvision's names, ``features.N.weight``), then in torchvision's cache of earlier downloads.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

ENV = "BENCH_LPIPS_WEIGHTS"
CACHED_NAME = "alexnet-owt-7be5be79.pth"  # torchvision's file name
SMALLEST = 32  # pixels: below 31 AlexNet's third pooling has nothing to pool, 32 is the round number

_log = logging.getLogger(__name__)


def weights_file() -> Path | None:
    """The backbone that LPIPS will use, or None. Looks at names only; imports no torch."""
    named = os.environ.get(ENV)
    path = Path(named) if named else _torch_home() / "hub" / "checkpoints" / CACHED_NAME
    return path if path.is_file() else None


def _torch_home() -> Path:
    # The rule of torch.hub.get_dir().
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()


def distance(truth: np.ndarray, estimate: np.ndarray) -> float | None:
    """LPIPS of two images (C, H, W) in [0, 1], C = 1 or 3; None without usable weights (logged once)."""
    model = _model(weights_file())
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
def _model(path: Path | None) -> Any:
    """The network, or None; cached, so that the reason is logged once per process."""
    if path is None:
        named = os.environ.get(ENV)
        why = f"{ENV}={named} is not a file" if named else f"{ENV} is not set and torchvision has no cached AlexNet"
        _log.warning("lpips_alex is left empty: %s", why)
        return None
    try:
        return _load(path)
    except Exception as error:  # a broken file of any kind costs one column, not the run
        _log.warning("lpips_alex is left empty: %s cannot be used: %s", path, error)
        return None


def _load(path: Path) -> Any:
    import lpips
    import torch

    # The random initialisation must not move the global generator, and lpips still uses torchvision's old argument.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    given = _read(path)
    state = {key: given[re.sub(r"^slice\d+\.", "features.", key)] for key in model.net.state_dict()}
    model.net.load_state_dict(state)
    return model.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)
