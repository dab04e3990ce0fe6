"""``bench report``: results in, a page that opens from the file system out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Results folders (default: every folder in runs/).")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("reports"),
    baseline: Annotated[str | None, typer.Option(help="Solver that paired differences are taken to.")] = None,
) -> None:
    """Write an HTML report of one or several runs; it needs no network and no server."""
    from bench.errors import ResultError
    from bench.report.build import build

    folders = list(runs or [])
    if not folders:
        wanted = Path("runs") / out.name  # --out reports/NAME means runs/NAME if there is one
        folders = (
            [wanted]
            if (wanted / "results.parquet").is_file()
            else sorted(p.parent for p in Path("runs").glob("*/results.parquet"))
        )
    if not folders:
        raise ResultError(
            "there are no results under runs/: give a results folder, or start with bench run quickstart"
        )
    index = build(folders, out, baseline=baseline)
    typer.echo(f"{index}  ({index.stat().st_size / 1e6:.2f} MB)")
    typer.echo(f"open it:  {index.resolve().as_uri()}")
