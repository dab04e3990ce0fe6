"""Networks of torchvision that metrics compare features of, from files that the user has: nothing is downloaded.

A backbone is the file that a metric's ``weights`` names; else the one that an environment variable names; else the
one that an earlier use of torchvision has left in its cache.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)


class Backbone(NamedTuple):
    """A network, and where its weights are looked for.

    Attributes:
        env: the environment variable that may name a file.
        cached: torchvision's name of the file in its cache.
    """

    title: str
    env: str
    cached: str


BACKBONES = {
    "alex": Backbone("AlexNet", "BENCH_LPIPS_WEIGHTS", "alexnet-owt-7be5be79.pth"),
    "vgg": Backbone("VGG16", "BENCH_VGG_WEIGHTS", "vgg16-397923af.pth"),
}


def weights_file(net: str, given: str = "") -> Path | None:
    """The file with a backbone's weights, None where there is none. Looks at names only; imports no torch.

    Args:
        net: a key of ``BACKBONES``.
        given: the path in a grid, or "".
    """
    backbone = BACKBONES[net]
    named = given or os.environ.get(backbone.env)
    path = Path(named).expanduser() if named else _torch_home() / "hub" / "checkpoints" / backbone.cached
    return path if path.is_file() else None


def _torch_home() -> Path:
    # The rule of torch.hub.get_dir().
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()


def require_file(metric: str, name: str, path: str) -> None:
    """Raise SettingError where a path in a grid names no file; "" names none on purpose."""
    if path and not Path(path).expanduser().is_file():
        raise SettingError(parts=[(name, f"{metric}: {name}: there is no file {path}; nothing is downloaded")])


def missing(column: str, net: str) -> None:
    """Say that a column stays empty for want of weights. For callers that ask once per process."""
    backbone = BACKBONES[net]
    named = os.environ.get(backbone.env)
    unset = f"{backbone.env} is not set and torchvision has no cached {backbone.title}"
    why = f"{backbone.env}={named} is not a file" if named else unset
    _log.warning("%s is left empty: %s", column, why)


def unusable(column: str, path: Path, error: Exception) -> None:
    """Say that a column stays empty because of its file."""
    _log.warning("%s is left empty: %s cannot be used: %s", column, path, error)


def read(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a .safetensors file, or of one that torch's unpickler of tensors alone takes."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)
