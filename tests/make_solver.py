"""Solvers by name, for tests."""

from __future__ import annotations

from typing import Any

from bench.methods.problem import Solver
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build


def made(name: str, **settings: Any) -> Solver:
    """A solver from the registry, with these settings."""
    plugin = find_plugin("solver", name)
    return build(plugin, load_plugin(plugin), settings)
