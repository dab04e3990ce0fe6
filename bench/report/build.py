"""Render a report: one page that opens from a file, picture chunks beside it, and the leaderboard as CSV."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.errors import ResultError, did_you_mean
from bench.report import details, text
from bench.report.board import Board, describe
from bench.report.load import Results, load
from bench.report.pictures import script_json, write_chunks
from bench.report.tables import by_setting, leaderboard, pick_baseline

HERE = Path(__file__).parent


def build(run_dirs: Sequence[Path], out: Path, baseline: str | None = None) -> Path:
    """Write ``out/index.html``, ``out/leaderboard.csv`` and ``out/data/cell-*.js``; returns the page's path.

    Args:
        run_dirs: folders with results.parquet and run.json; several are put into one report.
        out: folder of the report, made if missing; an earlier report there is replaced.
        baseline: label of the solver that the others are compared with; by default Wiener, else the blurred input.

    Raises:
        ResultError: a run that cannot be read, runs on different measurements, no results, an unknown baseline.
    """
    results = load([Path(d) for d in run_dirs])
    board = Board.from_rows(results.rows)
    if not board.cells:
        raise ResultError("the runs hold no test results: nothing to report")
    if baseline is not None and baseline not in board.solvers:
        raise ResultError(f"baseline {baseline!r} is not among the solvers. {did_you_mean(baseline, board.solvers)}")
    chosen = pick_baseline(board, baseline)
    entries = leaderboard(board, chosen)
    order = [e["solver"] for e in entries]
    out.mkdir(parents=True, exist_ok=True)
    index = write_chunks(results.pictures, board, order, out / "data")
    _write_csv(out / "leaderboard.csv", entries, board.metrics)
    page = out / "index.html"
    page.write_text(_render(results, board, entries, chosen, index), encoding="utf-8")
    return page


def _render(
    results: Results, board: Board, entries: list[dict[str, Any]], baseline: str | None, index: list[dict[str, Any]]
) -> str:
    from markupsafe import Markup

    test = [r for r in results.rows if r["phase"] == "test"]
    metrics = [describe(m) for m in board.metrics]
    viewer = {
        "cells": index,
        "metrics": [{"name": m.name, "label": m.label, "digits": m.digits, "better": m.better} for m in metrics],
    }
    return _environment().get_template("index.html.j2").render(
        title=" + ".join(f["name"] for f in results.facts),
        css=Markup(_static("report.css")),  # noqa: S704  our own file
        js=Markup(_static("report.js")),  # noqa: S704  our own file
        viewer=Markup(script_json(viewer)),  # noqa: S704  escaped by script_json
        has_pictures=bool(index),
        runs=[_run_facts(f) for f in results.facts],
        results=results,
        board=board,
        metrics=metrics,
        entries=entries,
        baseline=baseline,
        by_setting=[by_setting(board, m, [e["solver"] for e in entries]) for m in board.metrics],
        failed=sum(e["failed"] for e in entries),
        done=sum(e["cells"] for e in entries),
        boundaries=details.distinct(test, "boundary"),
        images=len(set(board.images.tolist())),
        noise_convention=details.NOISE_CONVENTION,
        noises=details.noise_models(test),
        notices=details.notices(test),
        tuned=details.tuned_values(results.rows),
        failures=details.failures(results.rows),
        example=next((r["cell_key"] for r in test if r["status"] == "ok"), test[0]["cell_key"]),
    )  # fmt: skip


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        number=text.number, signed=text.signed, seconds=text.seconds, count=text.count, sort_key=_sort_key
    )
    env.globals["missing"] = text.MISSING
    return env


def _static(name: str) -> str:
    # Included raw: the braces and hashes of CSS and JavaScript are no template's.
    return (HERE / "static" / name).read_text(encoding="utf-8")


def _sort_key(value: Any) -> str:
    """A number for the page's sorting, empty (sorted last) when there is none."""
    return "" if value is None or value != value else repr(float(value))


def _run_facts(facts: dict[str, Any]) -> dict[str, Any]:
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


def _write_csv(path: Path, entries: list[dict[str, Any]], metrics: Sequence[str]) -> None:
    parts = ("mean", "half_width_95", "rank_best", "rank_worst", "difference", "difference_half_width_95", "p_holm")
    costs = ("cells", "failed", "absent", "seconds", "calls", "evaluations")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["solver", "family", "tuning", *(f"{m}_{p}" for m in metrics for p in parts), *costs])
        for e in entries:
            scores = [value for m in metrics for value in _csv_score(e["scores"][m])]
            writer.writerow([e["solver"], e["family"], e["tuning"], *scores, *(e[c] for c in costs)])


def _csv_score(score: dict[str, Any]) -> list[Any]:
    low, high = score["rank"] or ("", "")
    delta = score["delta"] or {"mean": "", "half": "", "p": ""}
    return [score["mean"], score["half"], low, high, delta["mean"], delta["half"], delta["p"]]
