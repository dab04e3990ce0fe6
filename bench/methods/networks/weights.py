"""Weights files: half-precision safetensors, self-describing, with a card beside them.

What a file holds stands in its card: ``kind`` is "prior" (also when unsaid), "conditional", "restorer",
"unrolled" or "mixture".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from bench.errors import WeightsError
from bench.methods.networks.prior import DiffusionPrior, NetworkConfig, build
from bench.plugins.weights import sha256

Kind = Literal["prior", "conditional", "restorer", "unrolled", "mixture"]

FORMATS: dict[str, str] = {k: f"deblur-bench {k} 1" for k in get_args(Kind)}


def encode(tensors: dict[str, Tensor], card: dict[str, Any], dtype: torch.dtype = torch.float16) -> bytes:
    """A weights file. ``card`` travels in its header; a network's has network and, of a diffusion, schedule.

    Whole numbers among the tensors (counters of batch normalisation) keep their type.
    """
    held = {k: _plain(v, dtype) for k, v in tensors.items()}
    metadata = {"format": FORMATS[card.get("kind", "prior")], "card": json.dumps(card, sort_keys=True)}
    return _ordered(save(held, metadata=metadata))


def _ordered(file: bytes) -> bytes:
    """The same file, its header sorted: safetensors writes metadata in random order. Equal weights: equal files."""
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors start at a multiple of eight
    return len(header).to_bytes(8, "little") + header + file[end:]


def _plain(value: Tensor, dtype: torch.dtype) -> Tensor:
    moved = value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype)
    return moved.clone(memory_format=torch.contiguous_format)


def write_card(path: Path) -> Path:
    """Write PATH's card beside it (.json): what the header says, and the file's sha256."""
    _, card = read(path)
    card_path = path.with_suffix(".json")
    card_path.write_text(json.dumps({**card, "sha256": sha256(path)}, indent=2) + "\n", encoding="utf-8")
    return card_path


def load(path: Path) -> DiffusionPrior:
    """The prior in a weights file: float32, frozen, in evaluation mode, on the CPU.

    Raises WeightsError when the file is missing, is not ours, holds something else, or is not the one that the card
    beside it describes.
    """
    tensors, card = read_sealed(path, "prior")
    config = TypeAdapter(NetworkConfig).validate_python(card["network"])
    return filled(build(config, card["schedule"], card["prediction"], card), tensors)


_Model = TypeVar("_Model", bound=nn.Module)


def filled(model: _Model, tensors: dict[str, Tensor]) -> _Model:
    """The model with these weights in its ``network``: float32, frozen, in evaluation mode."""
    network = model.get_submodule("network")
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    return model.requires_grad_(False).eval()


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and card of a weights file of any kind. Raises WeightsError when it is missing or not ours."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, ValueError, SafetensorError) as error:  # ValueError: a header that is not UTF-8
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    if metadata.get("format") not in FORMATS.values():
        raise WeightsError(f"{path} does not hold weights of this project ({', '.join(FORMATS.values())})")
    return tensors, _object(metadata.get("card", ""), path)


def _object(text: str, path: Path) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its card cannot be read: {error}") from error
    if not isinstance(card, dict):
        raise WeightsError(f"{path}: its card is no mapping")
    return card


def read_sealed(path: Path, kind: Kind) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """``read``, of weights of that kind and as the card beside them describes. Raises WeightsError."""
    tensors, card = read(path)
    if (actual := card.get("kind", "prior")) != kind:
        raise WeightsError(f"{path} holds the weights of a {actual}, not of a {kind}")
    beside = path.with_suffix(".json")
    if beside.is_file():
        sealed = _object(beside.read_text(encoding="utf-8", errors="replace"), beside).get("sha256")
        if sealed != sha256(path):
            raise WeightsError(f"{path} is not the file that {beside.name} describes (its sha256 differs)")
    return tensors, card
