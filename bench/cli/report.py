"""``bench report``: results in, a page that opens from the file system out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    """What is made of several runs."""

    PAGE = "page"
    HISTORY = "history"


def command(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Results folders (default: the newest run in runs/).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the page (default: reports/NAME of the run).")] = None,
    baseline: Annotated[str | None, typer.Option(help="Solver that paired differences are taken to.")] = None,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Everything, pictures too, inside one index.html.")
    ] = False,
    figures: Annotated[bool, typer.Option(help="Draw the figures for papers.")] = True,
    form: Annotated[
        Form, typer.Option("--as", help="page: all runs in one report; history: each metric over the runs.")
    ] = Form.PAGE,
    site: Annotated[
        bool, typer.Option("--site", help="A page for each run and an index of them, for static hosting.")
    ] = False,
) -> None:
    """Write an HTML report of one or several runs; it needs no network and no server."""
    folders = _folders(runs, out, every=site or form is Form.HISTORY)
    if site:
        from bench.report.site import build_site

        _refuse(single_file, "--single-file: the pages of a site share a folder")
        _refuse(form is Form.HISTORY, "--as history: a history is a page of its own")
        index = build_site(folders, out or Path("site"), baseline, figures=figures)
    elif form is Form.HISTORY:
        from bench.report.history import build_history

        index = build_history(folders, out or Path("reports") / "history")
    else:
        from bench.report.page import build

        out = out or Path("reports") / "+".join(folder.resolve().name for folder in folders)
        index = build(folders, out, baseline=baseline, single_file=single_file, figures=figures)
    typer.echo(f"{index}  ({index.stat().st_size / 1e6:.2f} MB)")
    typer.echo(f"open it:  {index.resolve().as_uri()}")


def _refuse(given: bool, why: str) -> None:
    if given:
        raise typer.BadParameter(f"--site does not go with {why}")


def _folders(runs: list[Path] | None, out: Path | None, *, every: bool) -> list[Path]:
    from bench.errors import ResultError
    from bench.results.folder import ResultsFolder

    if runs:
        return list(runs)
    if out is not None and not every and ResultsFolder(Path("runs") / out.name).table.is_file():
        return [Path("runs") / out.name]  # --out reports/NAME means runs/NAME if there is one
    finished = [folder for folder in ResultsFolder.under(Path("runs")) if folder.table.is_file()]
    if not finished:
        raise ResultError(
            "there are no results under runs/: give a results folder, or start with bench run quickstart"
        )
    if every:
        return [folder.path for folder in finished]
    newest = max(finished, key=lambda folder: folder.table.stat().st_mtime)
    if len(finished) > 1:
        typer.echo(f"the newest of {len(finished)} runs: {newest.path}", err=True)
    return [newest.path]
