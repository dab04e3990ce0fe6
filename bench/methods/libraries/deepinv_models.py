"""deepinv's networks, and others of its interface, by import path and file of weights: nothing is downloaded."""

from __future__ import annotations

import copy
import inspect
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from bench.contracts import Cost
from bench.errors import PluginError, SettingError
from bench.methods.networks.state_dicts import filled, read_state_dict
from bench.plugins.import_path import import_object
from bench.plugins.weights import sha256


@dataclass(frozen=True)
class ModelSpec:
    """How a model is made.

    Attributes:
        name: import path of a class, or of a function that makes a module.
        options: its keywords, as JSON. ``pretrained`` is None unless given: deepinv's default is to download.
        path: .safetensors, or a torch file of plain data; "" for a model without weights, or with random ones.
        content: sha256 of that file.
        denoiser: of a model that takes one as keyword ``denoiser``.
    """

    name: str
    options: str = "{}"
    path: str = ""
    content: str = ""
    denoiser: ModelSpec | None = None

    @classmethod
    def of(
        cls, name: str, options: Mapping[str, Any] | None = None, path: str = "", denoiser: ModelSpec | None = None
    ) -> ModelSpec:
        """From the settings of a plug-in."""
        content = sha256(Path(path)) if path and Path(path).is_file() else ""
        return cls(name, json.dumps(options or {}, sort_keys=True), path, content, denoiser)

    def build(self, device: str = "cpu") -> nn.Module:
        """The model with its weights, frozen, in evaluation mode.

        Raises PluginError where there is no such model, SettingError where it would download, WeightsError.
        """
        make = import_object(self.name)
        model = self._made(make, self._keywords(make, device))
        if not isinstance(model, nn.Module):
            raise PluginError(f"{self.name} makes a {type(model).__name__}, not a torch module")
        if self.path:
            # Tables that a model computes itself (DiffUNet's ᾱ) are only in files that it wrote itself.
            filled(model, {**dict(model.named_buffers()), **read_state_dict(Path(self.path))}, self.path)
        model = model.to(device).requires_grad_(False).eval()
        return _noted(model) if self.denoiser is None and any(True for _ in model.parameters()) else model

    def _keywords(self, make: Callable[..., object], device: str) -> dict[str, Any]:
        keywords = json.loads(self.options)
        allowed = _parameters(make)
        if "pretrained" in allowed:
            keywords.setdefault("pretrained", None)
        if "device" in allowed:
            keywords.setdefault("device", device)
        given = keywords.get("pretrained")
        if given is True or str(given).startswith("download"):
            raise SettingError(f"{self.name}: pretrained: {given} is a download, which is not done: give a path")
        if self.denoiser is not None:
            keywords["denoiser"] = self.denoiser.build(device)
        return keywords

    def _made(self, make: Callable[..., object], keywords: dict[str, Any]) -> object:
        with nothing_downloaded(self.name):
            try:
                return make(**keywords)
            except TypeError as error:
                raise SettingError(f"{self.name} cannot be made from {', '.join(keywords)}: {error}") from error


def _parameters(make: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError):  # no callable, or one that Python cannot look into
        return {}


@contextmanager
def nothing_downloaded(name: str) -> Iterator[None]:
    """Raise SettingError where the code within asks torch.hub for weights, or for a network.

    Weights that lie in torch.hub's cache are refused too: no content key would hold them.
    """

    def refuse(*args: object, **_: object) -> NoReturn:
        asked = next((a for a in args if isinstance(a, str)), "a network")
        raise SettingError(f"{name} would download weights ({asked[:200]}), which is not done: give them by path")

    with (
        patch.object(torch.hub, "load_state_dict_from_url", refuse),
        patch.object(torch.hub, "download_url_to_file", refuse),
        patch.object(socket, "getaddrinfo", refuse),
    ):
        yield


def fresh(spec: ModelSpec, device: str) -> nn.Module:
    """A copy of a model that is built once: no image sees what another left in it.

    A model that cannot be copied is built anew.
    """
    try:
        return copy.deepcopy(_built(spec, device))
    except (TypeError, RuntimeError):  # it holds a generator, a lock, a tensor with history
        return spec.build(device)


@contextmanager
def counting(cost: Cost) -> Iterator[None]:
    """Count the passes of networks of any ``ModelSpec`` within.

    A network is what has parameters: of a model that takes a denoiser the denoiser, which it evaluates some times in
    each solution; of an optimisation without one, nothing.
    """
    before = _cost.set(cost)
    try:
        yield
    finally:
        _cost.reset(before)


_cost: ContextVar[Cost | None] = ContextVar("cost", default=None)
_numbers = count()
#: networks as they were built: what their copies count as, so that parameters are there once, however many images
_originals: WeakValueDictionary[str, nn.Module] = WeakValueDictionary()


def _noted(network: nn.Module) -> nn.Module:
    network._of_spec = str(next(_numbers))  # type: ignore[assignment]  # a plain attribute, which copies have too
    _originals[str(network._of_spec)] = network
    network.register_forward_hook(_count, with_kwargs=True)
    return network


def _count(network: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], out: object) -> None:
    cost = _cost.get()
    if cost is None:
        return

    def backward(_: Tensor) -> None:
        cost.nfe_backward += 1

    original = _originals.get(str(network._of_spec), network)
    cost.evaluation(original, *inputs, call=partial(network, **named))
    # Not through a module's backward hook, which turns outputs into views: they could not be changed in place.
    if isinstance(out, Tensor) and out.requires_grad:
        out.register_hook(backward)


@lru_cache(maxsize=2)
def _built(spec: ModelSpec, device: str) -> nn.Module:
    return spec.build(device)
