"""``bench run``: a grid in, a results folder and a table out."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.grid_file import named_grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from bench.grid.schema import Grid
    from bench.results.folder import Row
    from bench.running.parsl.engine import OpenSite
    from bench.running.parsl.site import Site
    from bench.running.runner import Finished, Runner


def command(
    grid: Annotated[str, typer.Argument(help="A grid file, or the name of a shipped grid such as quickstart.")],
    out: Annotated[Path | None, typer.Option(help="Results folder (default: runs/NAME).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be computed and why; compute nothing.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="With --dry-run: solve one cell of each solver of unknown speed.")
    ] = False,
    price: Annotated[
        float | None, typer.Option(min=0, help="With --dry-run: what a worker costs per hour, in your currency.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Run only cells for which this holds: \"solver == 'tv'\".")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use at most so many images per dataset.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes (default: one per core, one on a GPU).")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Cells per call of a solver (default: 1, 16 on a GPU).")
    ] = None,
    device: Annotated[str | None, typer.Option(help="A torch device such as cpu or cuda:0.")] = None,
    executor: Annotated[
        str, typer.Option(help="Where cells are solved: local, or parsl:SITE.py (docs/cluster.md).")
    ] = "local",
    certify: Annotated[
        bool | None,
        typer.Option(
            "--certify/--no-certificates",
            help="Then examine each sampler with the settings that ran, or show none (default: those known already).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Run a grid: tune on its validation images, solve its test cells, write runs/NAME/results.parquet.

    The same command resumes an interrupted run and recomputes nothing that is done. Exits 4 if a cell failed.
    """
    from bench.grid.conditions import Expression
    from bench.report.terminal import preliminary
    from bench.running.parsl import site as sites
    from bench.running.progress import progress_bar
    from bench.running.runner import Options, Runner

    parsed = named_grid(grid)
    folder = out or Path("runs") / parsed.name
    site = sites.find(executor)
    if site and not device and parsed.run.device == "auto":
        device = site.device
    options = Options(folder, Expression(only) if only else None, limit, retry_failed, workers, device, batch)
    with progress_bar(preliminary) as progress, ExitStack() as stack:
        opened = stack.enter_context(_opened(site, folder)) if site and not dry_run else None
        runner = Runner(parsed, options, progress, opened.engine if opened else None)
        for sentence in runner.planner.left_out:
            typer.echo(sentence, err=True)
        finished = None if dry_run else _run(runner)
    if finished is None:
        _plan(runner, probe, site.workers if site else runner.workers, price, as_json)
    else:
        if certify is not False:
            _certify(finished, parsed, make=certify or parsed.run.certificates)
        _finish(finished, parsed, as_json)


def _certify(finished: Finished, grid: Grid, *, make: bool) -> None:
    """Certificates beside the results; a solver that cannot be examined costs the run nothing."""
    from bench.errors import BenchError
    from bench.verify.of_run import candidates, certify, seconds

    plugins = {e.label: e.variant.plugin for e in grid.solvers}
    places = {label: p.name if p.module else str(p.path) for label, p in plugins.items()}
    ran = ((places[r["solver"]], json.loads(r["solver_settings"]), _evaluations(r)) for r in finished.test
           if r["solver"] in places)  # fmt: skip

    def say(text: str) -> None:
        typer.echo(f"certificates  {text}", err=True)

    try:
        if not (samplers := candidates(ran)):
            return
        missing = [c for c in samplers if c.known() is None]
        minutes = f"about {max(1, round(seconds(missing) / 60))} min"
        if missing:
            say(f"{len(missing)} to make, {minutes}" if make else f"{len(missing)} missing; --certify: {minutes}")
        written = certify(samplers, finished.folder, make=make, report=say)
    except BenchError as error:
        say(f"are missing: {error}")
    else:
        if written:
            say(f"{len(written)} in {finished.folder / 'certificates'}")


def _evaluations(row: Row) -> float:
    """Of the network, in one solve of a row."""
    return ((row.get("nfe_forward") or 0) + (row.get("nfe_backward") or 0)) / (row.get("samples") or 1)


def _opened(site: Site, folder: Path) -> AbstractContextManager[OpenSite]:
    from bench.running.parsl.engine import opened  # imports Parsl

    return opened(site, folder / "parsl")


def _run(runner: Runner) -> Finished:
    try:
        return runner.run()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would end this with a signal, not with 130
        done = f"interrupted: {runner.computed} cells done; the same command goes on from there"
        typer.echo(done, err=True)
        raise typer.Exit(130) from None


def _plan(runner: Runner, probe: bool, workers: int, price: float | None, as_json: bool) -> None:
    from bench.cli.forecast import table
    from bench.running.forecast import forecast

    rows = forecast(runner, probe)
    typer.echo(json.dumps(rows, indent=1, ensure_ascii=False) if as_json else table(rows, workers, price))


def _finish(finished: Finished, grid: Grid, as_json: bool) -> None:
    rows = finished.test
    failed = [r for r in rows if r["status"] != "ok"]
    if as_json:
        typer.echo(json.dumps(_summary(finished), indent=1, ensure_ascii=False))
    else:
        from rich.console import Console

        from bench.report.terminal import summary

        # A pipe or a log has no width: 80 columns would cut the table short for nobody's sake.
        Console(width=None if sys.stdout.isatty() else 120).print(summary(rows))
        _say(finished, grid, failed)
    if failed:
        raise typer.Exit(4)


def _summary(finished: Finished) -> dict[str, object]:
    from bench.report.results import Results
    from bench.results.folder import ResultsFolder

    rows = finished.test
    results = Results([finished.folder])
    return {
        "conclusion": results.conclusion(),
        "leaderboard": json.loads(
            results.leaderboard().reset_index().to_json(orient="records", double_precision=6) or "[]"
        ),
        "results": str(ResultsFolder(finished.folder).table),
        "cells": len(rows),
        "computed": finished.computed,
        "failed": [
            {k: r.get(k) for k in ("cell_key", "solver", "setting", "image", "status", "error_message")}
            for r in rows
            if r["status"] != "ok"
        ],
        "unverified": _unverified(finished),
    }


def _unverified(finished: Finished) -> dict[str, str]:
    """Solvers whose code cannot be followed, with the reasons."""
    return {str(r["solver"]): str(r["unverified"]) for r in finished.test if r.get("unverified")}


def _reason(row: Row) -> str:
    """Why a cell failed: a KeyError's message alone, say, is a word in quotes."""
    kind = row["error_type"] if row["status"] == "error" else row["status"]
    return f"{kind}: {row['error_message']}"


def _say(finished: Finished, grid: Grid, failed: Sequence[Row]) -> None:
    from bench.results.folder import ResultsFolder, shown

    for r in failed[:5]:
        typer.echo(f"failed: {r['solver']} on {r['setting']}, {r['image']}: {_reason(r)}")
    if len(failed) > 5:
        typer.echo(f"... and {len(failed) - 5} more")
    if failed:
        typer.echo(f"look at one:  {shown(str(failed[0]['cell_key']), finished.folder)}   try again:  --retry-failed")
    edges = sorted({f"{c.label} ({n})" for c in finished.choices for n in c.at_edge})
    if edges:
        typer.echo(
            f"tuned values at the edge of what was tried, a wider range may be better: {', '.join(edges)}", err=True
        )
    for solver, reason in _unverified(finished).items():
        typer.echo(f"unverified: {solver}: {reason}; an edit there would not run its cells again", err=True)
    folder = finished.folder
    typer.echo(
        f"results  {ResultsFolder(folder).table}  ({len(finished.rows)} rows, {finished.computed} computed now)"
    )
    typer.echo(f"report   bench report {folder} --out reports/{grid.name}")
