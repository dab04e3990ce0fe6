"""A bridge to pyiqa as it is installed, which never reaches the network through here."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.errors import SettingError, message_of


def lower_is_better(name: str, weights: str) -> bool:
    """What pyiqa says of a metric. Raises SettingError where it cannot be made."""
    return bool(_model(name, weights).lower_better)


def needs_truth(name: str, weights: str) -> bool:
    """Whether it compares with a reference."""
    return _model(name, weights).metric_mode != "NR"


def value(name: str, weights: str, truth: np.ndarray, estimate: np.ndarray) -> float:
    """Of two images (C, H, W) in [0, 1], C = 1 or 3."""
    import torch

    model = _model(name, weights)
    x, y = (torch.as_tensor(a, dtype=torch.float32)[None].expand(1, 3, -1, -1) for a in (estimate, truth))
    with torch.inference_mode(), _without_network(name):
        return float(model(x, y) if needs_truth(name, weights) else model(x))


@functools.cache
def _model(name: str, weights: str) -> Any:
    try:
        import pyiqa  # type: ignore[import-not-found]  # an extra
    except ImportError as error:
        raise SettingError("metric pyiqa needs the package pyiqa: pip install deblur-bench[pyiqa]") from error
    given = {"pretrained_model_path": weights} if weights else {}
    try:
        with _without_network(name):
            return pyiqa.create_metric(name, device="cpu", **given)
    except SettingError:
        raise
    except Exception as error:
        raise SettingError(f"pyiqa cannot make its metric {name!r}: {message_of(error)}") from error


@contextmanager
def _without_network(name: str) -> Iterator[None]:
    """Refuse connections as long as pyiqa runs: it would fetch weights without asking."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise SettingError(
            f"pyiqa: {name} wants to download its weights, and nothing is downloaded here. Fetch them once with "
            f"pyiqa.create_metric({name!r}), or name the file: weights: FILE"
        )

    connect, resolve = socket.socket.connect, socket.getaddrinfo
    socket.socket.connect, socket.getaddrinfo = refuse, refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect, socket.getaddrinfo = connect, resolve  # type: ignore[method-assign]
