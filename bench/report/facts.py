"""What a run says about itself, as a reader wants to see it."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import Any

from bench.report import text


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
