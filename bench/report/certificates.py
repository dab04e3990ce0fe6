"""Certificates of solvers: how close one came where the exact posterior is known. Optional files of a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import ResultError

#: number -> heading of the table of certificates
NUMBERS = {"w2": "W₂ to the exact posterior", "exact_w2": "W₂ of exact samples", "chi2": "χ²"}
#: from the best to the worst
VERDICTS = ("pass", "not judged", "fail")
#: Settings that change nothing where a solver is examined: the oracle's denoiser stands in for trained weights.
APART = ("weights",)


def read(run_dirs: Sequence[Path]) -> list[dict[str, Any]]:
    """``certificates/*.json`` of each run folder, in the order of their names; [] where there are none.

    Raises ResultError for a file that is no JSON object with ``solver`` and a ``verdict`` of VERDICTS.
    """
    files = [f for folder in run_dirs for f in sorted((folder / "certificates").glob("*.json"))]
    return [_checked(f) for f in files]


def _checked(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{file} cannot be read as a certificate: {error}") from error
    if not isinstance(content, dict) or not content.get("solver") or content.get("verdict") not in VERDICTS:
        raise ResultError(f"{file} is no certificate: it needs solver, and a verdict: {', '.join(VERDICTS)}")
    numbers = {n: float(content[n]) for n in NUMBERS if isinstance(content.get(n), int | float)}
    words = {k: str(content.get(k) or "") for k in ("solver", "verdict", "grade", "oracle", "text")}
    settings = content.get("settings")
    return {**words, **numbers, "settings": settings if isinstance(settings, dict) else None}


def of_solver(
    certificates: Iterable[Mapping[str, Any]], *names: str, settings: Sequence[Mapping[str, Any]] = ()
) -> dict[str, str] | None:
    """Verdict, grade and text for the solver known under any of these names; the worst verdict counts.

    Args:
        certificates: as ``read`` returns them.
        names: label and name of the solver.
        settings: those that its rows ran with. A certificate made for other settings is somebody else's; one that
            names no settings is taken for all of them.
    """
    ran = [_relevant(s) for s in settings]
    mine = [c for c in certificates if c["solver"] in names and _made_for(c, ran)]
    if not mine:
        return None
    covered = [s for s in ran if any(c.get("settings") is None or _relevant(c["settings"]) == s for c in mine)]
    part = "" if len(covered) == len(ran) else f" (for {len(covered)} of {len(ran)} settings that ran)"
    verdict = max((c["verdict"] for c in mine), key=VERDICTS.index)
    grade = max((c.get("grade") or "" for c in mine), default="")  # A to F: the later letter is the worse
    return {"verdict": verdict, "grade": grade, "text": "; ".join(_line(c) for c in mine) + part}


def _made_for(certificate: Mapping[str, Any], ran: Sequence[Mapping[str, Any]]) -> bool:
    settings = certificate.get("settings")
    return settings is None or not ran or _relevant(settings) in ran


def _relevant(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k not in APART}


def _line(c: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (c["oracle"] and f"{c['oracle']}:", c["text"] or c["verdict"])))
