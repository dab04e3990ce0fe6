"""Weights of priors: half-precision safetensors, self-describing, with a card beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bench.errors import WeightsError
from bench.networks.prior import NetworkConfig, Prior, build
from bench.weights_file import sha256

FORMAT = "deblur-bench prior 1"


def encode(tensors: dict[str, Tensor], card: dict[str, Any], dtype: torch.dtype = torch.float16) -> bytes:
    """A weights file. ``card`` travels in its header; it must hold network, schedule and prediction."""
    held = {k: v.detach().to("cpu", dtype).clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
    return save(held, metadata={"format": FORMAT, "card": json.dumps(card, sort_keys=True)})


def write_card(path: Path) -> Path:
    """Write PATH's card beside it (.json): what the header says, and the file's sha256."""
    _, card = _open(path)
    card_path = path.with_suffix(".json")
    card_path.write_text(json.dumps({**card, "sha256": sha256(path)}, indent=2) + "\n", encoding="utf-8")
    return card_path


def load(path: Path) -> Prior:
    """The prior in a weights file: float32, frozen, in evaluation mode, on the CPU.

    Raises WeightsError when the file is missing, is not ours, or is not the one that the card beside it describes.
    """
    tensors, card = _open(path)
    beside = path.with_suffix(".json")
    if beside.is_file():
        said = json.loads(beside.read_text(encoding="utf-8")).get("sha256")
        if said != sha256(path):
            raise WeightsError(f"{path} is not the file that {beside.name} describes (its sha256 differs)")
    prior = build(
        TypeAdapter(NetworkConfig).validate_python(card["network"]), card["schedule"], card["prediction"], card
    )
    prior.network.load_state_dict({k: v.float() for k, v in tensors.items()})
    return prior.requires_grad_(False).eval()


def _open(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} does not hold the weights of a prior ({FORMAT})")
    return tensors, json.loads(metadata["card"])
