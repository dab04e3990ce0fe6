"""Batches in the order of the steps, made ahead by other processes where a recipe asks for them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Batch = tuple[Tensor, ...]


def feed(make: Callable[[int], tuple[np.ndarray, ...]], start: int, end: int, workers: int = 0) -> Iterator[Batch]:
    """``make(step)`` as tensors for the steps from ``start`` to ``end`` - 1, in order.

    What a batch holds depends on its step alone, so neither the number of workers nor a restart changes it.
    """
    if not workers:
        return (tensors(make(step)) for step in range(start, end))
    loader = DataLoader(
        _Steps(make),
        batch_size=None,
        sampler=range(start, end),
        num_workers=workers,
        prefetch_factor=4,
        multiprocessing_context="fork",  # the images in memory are shared, not copied
        worker_init_fn=_prepare,
    )
    return iter(loader)


def tensors(arrays: tuple[np.ndarray, ...]) -> Batch:
    """numpy to torch, without copying."""
    return tuple(torch.from_numpy(a) for a in arrays)


class _Steps(Dataset[Any]):
    def __init__(self, make: Callable[[int], tuple[np.ndarray, ...]]) -> None:
        self.make = make

    def __getitem__(self, step: int) -> Batch:
        return tensors(self.make(step))


def _prepare(_: int) -> None:
    # The trainer answers signals by finishing its step: until it has, its workers must go on.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
