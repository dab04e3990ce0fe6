"""Solvers by name, for tests."""

from __future__ import annotations

from typing import Any

from bench.plugins import find, load
from bench.problem import Solver
from bench.settings import build


def made(name: str, **settings: Any) -> Solver:
    """A solver from the registry, with these settings."""
    plugin = find("solver", name)
    return build(plugin, load(plugin), settings)
