"""State dicts of other people's networks. No file is unpickled: .safetensors, or torch.load with weights_only."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import WeightsError

State = dict[str, Tensor]

#: Under which keys trainings put a state dict beside optimisers and counters, the averaged weights first.
WRAPPERS = ("ema", "params_ema", "state_dict", "params", "model_state_dict", "net", "model")

_Network = TypeVar("_Network", bound=nn.Module)


def read_state_dict(path: Path) -> State:
    """The tensors of a .safetensors file, or of a torch file whose pickle holds plain data alone, by name.

    A dict around the tensors is opened (``WRAPPERS``), and the ``module.`` that DataParallel puts before every name
    is taken off. Raises WeightsError for a file that is missing, that only code could read, or without tensors.
    """
    if not path.is_file():
        raise WeightsError(f"there is no file {path}")
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    state = _unwrapped(content)
    if not state:
        raise WeightsError(f"{path} holds no named tensors: a state dict is wanted")
    return without_prefix(state, "module.")


def _safetensors(path: Path) -> State:
    try:
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors: {error}") from error


def _torch_file(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols: what matters is whether it can be read
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is a pickle that only running the code in it could read, which is not done. If you trust it, "
            "convert it once: `safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')`"
        ) from error
    except (OSError, ValueError, RuntimeError, EOFError, KeyError, AttributeError) as error:  # a damaged file
        raise WeightsError(f"{path} cannot be read as weights: {str(error)[:200]}") from error


def _unwrapped(content: object) -> State:
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    inner: Iterable[Any] = (content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping))
    return tensors or next((s for s in map(_unwrapped, inner) if s), {})


def without_prefix(state: State, prefix: str) -> State:
    """The state without ``prefix``, if all its names begin with it."""
    return {k[len(prefix) :]: v for k, v in state.items()} if all(k.startswith(prefix) for k in state) else state


def filled(network: _Network, state: State, path: Path | str) -> _Network:
    """The network with these weights, every one of them used: float32, frozen, in evaluation mode.

    A network that was built on the device ``meta`` takes the tensors over, so that they are in memory once. Raises
    WeightsError with the names that do not fit.
    """
    weights = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    own = network.state_dict()
    wrong = sorted(k for k in own.keys() & weights.keys() if own[k].shape != weights[k].shape)
    complaints = [
        _some("misses", sorted(own.keys() - weights.keys())),
        _some("has besides", sorted(weights.keys() - own.keys())),
        _some("has of another shape", wrong),
    ]
    if any(complaints):
        raise WeightsError(f"{path} is not of this layout: it {'; it '.join(c for c in complaints if c)}")
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()


def _some(verb: str, names: list[str]) -> str:
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{verb} {listed}" if names else ""
