"""What a run says about itself, as a reader wants to see it."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bench.report import text
from bench.results.folder import Row


def of_run(facts: dict[str, Any]) -> dict[str, Any]:
    """The run.json of a run, tidied: missing entries become empty."""
    commit = str(facts.get("commit") or "")
    return {
        "name": facts["name"],
        "grid_file": facts.get("grid_file") or "",
        "grid_text": facts.get("grid_text") or "",
        "command": f"bench run {shlex.quote(str(facts.get('grid_file') or facts['name']))}",
        "commit": commit[:12] + (" with local changes" if facts.get("dirty") else ""),
        "dirty": bool(facts.get("dirty")),
        "started": str(facts.get("started_at") or "")[:16].replace("T", " "),
        "took": _took(facts),
        "seed": facts.get("seed"),
        "protocol": _plain(facts.get("protocol")),
        "environment": _plain(facts.get("environment")),
    }


def _plain(mapping: Any) -> list[tuple[str, str]]:
    pairs = mapping.items() if isinstance(mapping, dict) else []
    return [(str(k), v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)) for k, v in pairs]


def _took(facts: dict[str, Any]) -> str:
    try:
        start, end = (datetime.fromisoformat(facts[k]) for k in ("started_at", "finished_at"))
    except (KeyError, TypeError, ValueError):
        return ""
    return text.seconds((end - start).total_seconds())


NOISE_CONVENTION = (
    "y = gain · Poisson(k*x / gain) + N(0, σ²) in [0, 1] units, k of unit sum; a camera with photon parameter λ and "
    "σ grey levels of 255, at exposure T, has gain 255 / (λ T) and standard deviation σ / (255 T)."
)


def distinct(rows: Sequence[Row], name: str) -> list[Any]:
    """The values of a column, each once, in order; None left out."""
    return list(dict.fromkeys(r[name] for r in rows if r.get(name) is not None))


#: remarks on PSFs that the page lists one by one
MOST_NOTES = 3


def notices(rows: Sequence[Row]) -> list[str]:
    """What a careful reader wants to know before the first number."""
    lines = []
    if "circular" in distinct(rows, "boundary"):
        lines.append("Circular boundary: the scene wraps round at the sensor's edge, which no camera does. "
                     "Several dB easier than real data for periodic methods.")  # fmt: skip
    mixed = {"env_id": "environments", "device": "devices", "dtype": "dtypes", "boundary": "boundaries"}
    for column, plural in mixed.items():
        if len(values := distinct(rows, column)) > 1:
            lines.append(f"Rows come from {len(values)} {plural} ({', '.join(map(str, values))}).")
    if any(e not in ("", "none", "None") for e in distinct(rows, "psf_error")):
        lines.append("Some settings tell the solvers a wrong PSF on purpose (psf_error).")
    if any(f != 1 for f in distinct(rows, "sigma_factor")):
        lines.append("Some settings tell the solvers a wrong noise level on purpose (sigma_factor).")
    if "oracle" in distinct(rows, "tuning"):
        lines.append("Solvers marked oracle were tuned on the test images themselves: an upper bound, not a result.")
    notes = [note for note in distinct(rows, "psf_note") if note]
    if len(notes) > MOST_NOTES:
        # Each kernel was drawn and has a note of its own: the page says that, and not what each came to.
        return [
            *lines,
            f"{len(notes)} different PSFs were drawn, the first with {notes[0]}; results.parquet has each.",
        ]
    return lines + [f"PSF: {note}" for note in notes]


def left_out(runs: Sequence[dict[str, Any]]) -> list[str]:
    """What the runs say about solvers that they could not ask, each once, as sentences."""
    lines = dict.fromkeys(str(line) for run in runs for line in run.get("left_out") or [])
    return [f"{line[:1].upper()}{line[1:]}." for line in lines]


def noise_models(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Each noise of the grid with its settings."""
    pairs = dict.fromkeys((r.get("noise") or "", r.get("noise_settings") or "{}") for r in rows)
    return [{"noise": noise, "settings": pretty(settings)} for noise, settings in pairs]


def tuned_values(rows: Sequence[Row]) -> dict[str, Any]:
    """Solver × setting: the values that tuning chose, and what the search cost."""
    test = [r for r in rows if r["phase"] == "test" and r.get("tuning")]
    settings, solvers = distinct(test, "setting"), distinct(test, "solver")
    lines = []
    for solver in solvers:
        mine = [r for r in test if r["solver"] == solver]
        search = [r for r in rows if r["phase"] != "test" and r["solver"] == solver]
        lines.append({
            "solver": solver,
            "tuning": "oracle" if any(r["tuning"] == "oracle" for r in mine) else "val",
            "cells": [_chosen([r for r in mine if r["setting"] == s]) for s in settings],
            "tried": len({(r["setting"], r.get("candidate")) for r in search}),
            "runs": len(search),
            "seconds": sum(r.get("seconds") or 0.0 for r in search),
        })  # fmt: skip
    return {"settings": settings, "rows": lines}


def _chosen(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(parameter, value) pairs; a range where the images were tuned apart."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in parse(row.get("tuned")).items():
            values.setdefault(name, []).append(value)
    return [(name, _range(given)) for name, given in values.items()]


def _range(values: list[Any]) -> str:
    if all(isinstance(v, int | float) for v in values):
        low, high = f"{min(values):.3g}", f"{max(values):.3g}"
        return low if low == high else f"{low} to {high}"
    return ", ".join(dict.fromkeys(map(str, values)))


def failures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Failed rows grouped by solver, phase and reason, most frequent first."""
    failed = [r for r in rows if r["status"] != "ok"]

    def reason(r: Row) -> tuple[str, str, str, str, str]:
        return (
            r["solver"], r["phase"], r["status"], r.get("error_type") or "", r.get("error_message") or "",
        )  # fmt: skip

    groups = Counter(map(reason, failed))
    return [
        {
            "solver": key[0], "phase": key[1], "status": key[2], "type": key[3], "message": key[4], "count": count,
            "cells": [r for r in failed if reason(r) == key],
        }
        for key, count in groups.most_common()
    ]  # fmt: skip


def parse(text: Any) -> dict[str, Any]:
    """A column that holds a JSON object; {} when empty."""
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def pretty(text: Any) -> str:
    """``a = 1, b = 2`` of a JSON object."""
    return ", ".join(f"{k} = {v}" for k, v in parse(text).items())
