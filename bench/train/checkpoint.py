"""Checkpoints: one safetensors file each, written whole or not at all. Nothing is pickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from bench.errors import ResultError, TrainingError
from bench.files import replacing

FORMAT = "deblur-bench checkpoint 1"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one go. Raises TrainingError when the disk is full; what was there stays."""
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except ResultError as error:
        raise TrainingError(f"{error}: the previous one, if any, stays") from error


def write(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Tensors and plain data in one file."""
    held = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write_atomically(path, save(held, metadata={"format": FORMAT, "state": json.dumps(state, sort_keys=True)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What ``write`` wrote. Raises TrainingError when it is no checkpoint of ours."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} cannot be read as a checkpoint: {error}") from error
    if metadata.get("format") != FORMAT:
        raise TrainingError(f"{path} is not a checkpoint of this trainer ({FORMAT})")
    return tensors, json.loads(metadata["state"])


def pack_optimiser(optimiser: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state by parameter name: Adam's step, exp_avg and exp_avg_sq."""
    states = ((name, optimiser.state.get(p, {})) for name, p in network.named_parameters())
    return {f"optimiser.{name}.{key}": value for name, state in states for key, value in state.items()}


def unpack_optimiser(optimiser: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The inverse of ``pack_optimiser``; ``step`` stays on the CPU, moments go to their parameter's device."""
    for name, p in network.named_parameters():
        prefix = f"optimiser.{name}."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        for key, value in own.items():
            moved = value if key == "step" else torch.empty_like(p).copy_(value)
            optimiser.state[p][key] = moved


def select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
