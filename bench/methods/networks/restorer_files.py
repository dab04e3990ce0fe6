"""Restorers that others published, of any architecture that the package ``spandrel`` knows by its weights."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.errors import WeightsError
from bench.methods.networks.restore import apart
from bench.methods.networks.state_dicts import read_state_dict
from bench.methods.networks.tiles import Tiles, batched
from bench.plugins.weights import sha256

if TYPE_CHECKING:
    from bench.methods.problem import Problem


def restore_with(problem: Problem, path: Path, patch: int, overlap: int, batch: int) -> Tensor:
    """The estimate (B, C, H, W), each value in [0, 1]: in one piece up to the size of a patch, in patches beyond.

    A gray restorer gets the colours of a picture one by one. A colour restorer gets a gray picture three times, and
    the mean of what it returns is the estimate.

    Args:
        problem: may be blind.
        path: .safetensors, or a torch file of plain data.
        patch, overlap: see ``Tiles``; rounded up to what the network's sides must be multiples of.
        batch: patches at once; each call of the network counts as one evaluation.
    """
    model = load_restorer_file(path, sha256(path) if path.is_file() else "", problem.y.dtype, str(problem.y.device))
    channels, stride = model.input_channels, model.size_requirements.multiple_of
    gray = problem.y.shape[1] == 1 and channels == 3
    y = problem.y.expand(-1, 3, -1, -1) if gray else apart(problem.y, channels)
    tiles = Tiles((y.shape[-2], y.shape[-1]), patch + -patch % stride, overlap, stride)

    def counted(pieces: Tensor) -> Tensor:
        problem.cost.evaluation(model.model, pieces, call=model)
        return model(pieces)

    x = tiles.join(batched(counted, tiles.cut(y), batch))
    return (x.mean(1, keepdim=True) if gray else x).reshape(problem.y.shape)


@lru_cache(maxsize=2)
def load_restorer_file(path: Path, content: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Any:  # noqa: ARG001  # a changed file is another
    """spandrel's ImageModelDescriptor for a file, frozen. Raises WeightsError where it is no restorer of images."""
    try:
        from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
    except ImportError as error:
        raise WeightsError(
            "restorer_file needs the package spandrel, which is not installed: `pip install deblur-bench[spandrel]`"
        ) from error
    try:
        model = ModelLoader(device="cpu").load_from_state_dict(read_state_dict(path))
    except (UnsupportedModelError, RuntimeError, KeyError, ValueError, AssertionError) as error:
        raise WeightsError(f"{path} is of no architecture that spandrel knows: {str(error)[:200]}") from error
    if not isinstance(model, ImageModelDescriptor):
        raise WeightsError(f"{path}: {model.architecture.name} needs a mask beside the image")
    if model.scale != 1 or model.input_channels != model.output_channels:
        raise WeightsError(
            f"{path}: {model.architecture.name} makes {model.output_channels} channels of {model.input_channels} and "
            f"sides {model.scale} times as long: a restorer leaves both as they are"
        )
    model.model.to(device=device, dtype=dtype).requires_grad_(False).eval()
    return model
