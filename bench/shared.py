"""What a worker is told; apart from the engines, whose code changes no number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shared:
    """What every worker is told once.

    Attributes:
        device: a torch device.
        threads: of torch within a worker.
        memory: limit on a worker's data in bytes, or None.
        pictures: folder for the estimates that are kept, or None.
    """

    device: str = "cpu"
    threads: int = 1
    memory: int | None = None
    pictures: str | None = None
