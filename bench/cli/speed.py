"""``bench speed``: how fast solvers are on this machine, side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from bench.running.speed import Timing


def command(
    solver: Annotated[
        list[str] | None, typer.Argument(help="Names of solvers, or paths to some (default: every built-in one).")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the solvers that have it: steps=100.")
    ] = None,
    size: Annotated[int, typer.Option(min=16, max=4096, help="Pixels a side of the picture.")] = 64,
    boundary: Annotated[Literal["valid", "circular"], typer.Option(help="Of the measurement.")] = "valid",
    minutes: Annotated[float, typer.Option(min=0, help="To be spent at about, on all of them.")] = 5.0,
    threads: Annotated[int, typer.Option(min=1, help="Of each solver.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time solvers on one measurement: CPU seconds of the fastest solve on one thread, wall seconds, PSNR.

    Samplers run in 20 steps unless --set says otherwise. docs/speed.md has more tables, against other libraries.
    """
    from dataclasses import asdict

    from bench.cli.deblur import settings_of
    from bench.running.speed import measurement, solvers, timings

    names = solver or solvers()
    _one_thread(threads)
    rows = []
    for row in timings(
        names, settings_of(setting or []), measurement(size, boundary), boundary, 60 * minutes / len(names)
    ):
        rows.append(row)
        typer.echo(f"{row.solver}: {row.error or f'{row.cpu:.3g} s'}", err=True)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        _print(rows, f"{size} x {size} pixels, {boundary} data, camera shake of 16 px, {threads} thread(s)")
    if all(row.error for row in rows):
        raise typer.Exit(4)


def _one_thread(threads: int) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)  # BLAS and OpenMP of numpy and scipy


def _print(rows: list[Timing], about: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver")
    for title in ("CPU s", "wall s", "PSNR", "evaluations"):
        table.add_column(title, justify="right")
    table.add_column("note")
    for row in sorted(rows, key=lambda r: r.cpu if r.cpu is not None else float("inf")):
        settings = ", ".join(f"{k} = {v}" for k, v in row.settings.items())
        figures = [_figure(row.cpu, ".3g"), _figure(row.wall, ".3g"), _figure(row.psnr, ".2f")]
        table.add_row(row.solver, *figures, str(row.evaluations or ""), (row.error or settings)[:90])
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = max(console.width, 145)
    console.print(about + "\n")
    console.print(table)


def _figure(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)
