"""The contract of a solver, as ``bench.testing`` checks it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.plugins.describe import Plugin
from bench.verify.contract_checks import check_solver
from bench.verify.invariances import Check

#: The contract does not depend on how many steps are taken.
STEPS = 5


def check(plugin: Plugin, settings: Mapping[str, Any], base: Path | None) -> Check:
    """``check_solver`` with few steps."""
    short = {**settings, "steps": STEPS} if "steps" in plugin.parameters else dict(settings)
    try:
        check_solver(plugin.name, short, base=base)
    except Exception as error:  # a verdict, whatever somebody's solver raises
        return Check("contract", "fail", 1.0, f"{type(error).__name__}: {error}")
    return Check("contract", "pass", 0.0, "shapes, types, boundaries, determinism, no side effects")
