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
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Everything, pictures too, inside one index.html.")
    ] = False,
    figures: Annotated[bool, typer.Option(help="Draw the figures for papers.")] = True,
) -> None:
    """Write an HTML report of one or several runs; it needs no network and no server."""
    from bench.report.page import build

    index = build(_folders(runs, out), out, baseline=baseline, single_file=single_file, figures=figures)
    typer.echo(f"{index}  ({index.stat().st_size / 1e6:.2f} MB)")
    typer.echo(f"open it:  {index.resolve().as_uri()}")


def _folders(runs: list[Path] | None, out: Path) -> list[Path]:
    from bench.errors import ResultError
    from bench.results.folder import ResultsFolder

    if runs:
        return list(runs)
    wanted = ResultsFolder(Path("runs") / out.name)  # --out reports/NAME means runs/NAME if there is one
    if wanted.table.is_file():
        return [wanted.path]
    folders = [folder.path for folder in ResultsFolder.under(Path("runs"))]
    if not folders:
        raise ResultError(
            "there are no results under runs/: give a results folder, or start with bench run quickstart"
        )
    return folders
