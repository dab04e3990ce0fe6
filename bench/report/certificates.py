"""Certificates of solvers: how close one came where the exact posterior is known. Optional files of a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.errors import ResultError

#: number -> heading of the table of certificates
NUMBERS = {"w2": "W₂ to the exact posterior", "exact_w2": "W₂ of exact samples", "chi2": "χ²"}


def read(run_dirs: Sequence[Path]) -> list[dict[str, Any]]:
    """``certificates/*.json`` of each run folder, in the order of their names; [] where there are none.

    Raises ResultError for a file that is no JSON object with ``solver`` and a ``verdict`` of "pass" or "fail".
    """
    files = [f for folder in run_dirs for f in sorted((folder / "certificates").glob("*.json"))]
    return [_checked(f) for f in files]


def _checked(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{file} cannot be read as a certificate: {error}") from error
    if not isinstance(found, dict) or not found.get("solver") or found.get("verdict") not in ("pass", "fail"):
        raise ResultError(f"{file} is no certificate: it needs solver, and verdict as pass or fail")
    numbers = {n: float(found[n]) for n in NUMBERS if isinstance(found.get(n), int | float)}
    words = {k: str(found.get(k) or "") for k in ("solver", "verdict", "oracle", "text")}
    return {**words, **numbers}


def of_solver(certificates: Iterable[dict[str, Any]], *names: str) -> dict[str, str] | None:
    """Verdict and text for the solver known under any of these names; one failure outweighs every pass."""
    mine = [c for c in certificates if c["solver"] in names]
    if not mine:
        return None
    verdict = "fail" if any(c["verdict"] == "fail" for c in mine) else "pass"
    return {"verdict": verdict, "text": "; ".join(_line(c) for c in mine)}


def _line(c: dict[str, Any]) -> str:
    return " ".join(filter(None, (c["oracle"] and f"{c['oracle']}:", c["text"] or c["verdict"])))
