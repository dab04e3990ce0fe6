"""Deep image structure and texture similarity: Ding, Ma, Wang & Simoncelli, IEEE Trans. PAMI 44, 2022.

The backbone is VGG16 with the blur pooling of Hénaff & Simoncelli in place of the maximum; the weights of its
features are the authors', as they come with torchmetrics or in their package ``dists-pytorch``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.scoring import backbones

if TYPE_CHECKING:
    from torch import Tensor

#: features of VGG16 by stage, as torchvision numbers the convolutions; between stages the picture is halved
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
#: channels of the picture itself and of each stage
CHANNELS = (3, 64, 128, 256, 512, 512)
C1 = C2 = 1e-6  #: of eq. 4 and 5
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  #: of ImageNet


def distance(truth: np.ndarray, estimate: np.ndarray, weights: str = "", layers: str = "") -> float | None:
    """DISTS of two images (C, H, W) in [0, 1], C = 1 or 3, at their own size; None without usable weights.

    Args:
        weights: path of VGG16's weights, see ``bench.scoring.backbones``.
        layers: path of the authors' α and β; "" for those of the installed torchmetrics.
    """
    files = backbones.weights_file("vgg", weights), _layers_file(layers)
    model = _model(*files)
    if model is None:
        return None
    import torch

    with torch.inference_mode():
        x, y = (torch.as_tensor(a, dtype=torch.float32)[None].expand(1, 3, -1, -1) for a in (truth, estimate))
        return dissimilarity(model, x, y)


def _layers_file(given: str) -> Path | None:
    """α and β; torchmetrics is not imported to find its file."""
    from importlib.util import find_spec

    if given:
        return Path(given).expanduser()
    spec = find_spec("torchmetrics")
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path()
    file = folder / "functional" / "image" / "dists_models" / "weights.pt"
    return file if file.is_file() else None


@functools.cache
def _model(vgg: Path | None, layers: Path | None) -> Mapping[str, Tensor] | None:
    """The weights, or None; cached, so that the reason is logged once per process."""
    if vgg is None:
        return backbones.missing("dists", "vgg")
    if layers is None:
        error = FileNotFoundError("this torchmetrics ships no α and β: name their file by layers:")
        return backbones.unusable("dists", Path("dists_models/weights.pt"), error)
    try:
        return _load(vgg, layers)
    except Exception as error:  # a broken file of any kind costs one column, not the run
        return backbones.unusable("dists", vgg, error)


def _load(vgg: Path, layers: Path) -> Mapping[str, Tensor]:
    """Weights of the convolutions by torchvision's names, and ``alpha`` and ``beta`` (1475,) of unit sum together."""
    given, own = backbones.read(vgg), backbones.read(layers)
    names = [f"features.{n}.{part}" for stage in STAGES for n in stage for part in ("weight", "bias")]
    total = own["alpha"].sum() + own["beta"].sum()
    mixed = {name: (own[name] / total).reshape(sum(CHANNELS)) for name in ("alpha", "beta")}
    return {name: given[name].float() for name in names} | mixed


def dissimilarity(model: Mapping[str, Tensor], x: Tensor, y: Tensor) -> float:
    """1 - Σ α l + β s over the features of all stages (eq. 6), of x and y (1, 3, H, W)."""
    import torch

    l_all, s_all = [], []
    for a, b in zip(_features(model, x), _features(model, y), strict=True):
        (ma, mb), (va, vb) = ([z.mean((2, 3)) for z in (a, b)], [z.var((2, 3), correction=0) for z in (a, b)])
        covariance = (a * b).mean((2, 3)) - ma * mb
        l_all.append((2 * ma * mb + C1) / (ma**2 + mb**2 + C1))  # texture, eq. 4
        s_all.append((2 * covariance + C2) / (va + vb + C2))  # structure, eq. 5
    l, s = torch.cat(l_all, 1)[0], torch.cat(s_all, 1)[0]  # noqa: E741  # the symbol of the paper
    return float(1 - (model["alpha"] * l + model["beta"] * s).sum())


def _features(model: Mapping[str, Tensor], x: Tensor) -> Iterator[Tensor]:
    """The picture itself, then what each stage of VGG16 makes of it."""
    import torch
    from torch.nn.functional import conv2d, relu

    yield x
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    h = (x - mean) / std
    for k, stage in enumerate(STAGES):
        h = _pooled(h) if k else h
        for n in stage:
            h = relu(conv2d(h, model[f"features.{n}.weight"], model[f"features.{n}.bias"], padding=1))
        yield h


def _pooled(h: Tensor) -> Tensor:
    """Every second root of a local mean of squares, under a 3 x 3 Hann window."""
    import torch
    from torch.nn.functional import conv2d

    w = torch.tensor([0.25, 0.5, 0.25])
    kernel: Any = (w[:, None] * w).expand(h.shape[1], 1, 3, 3)
    return (conv2d(h**2, kernel, stride=2, padding=1, groups=h.shape[1]) + 1e-12).sqrt()
