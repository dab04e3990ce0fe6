"""``bench merge``: runs of one grid, made apart, become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Results folders of finished runs.")],
    out: Annotated[Path, typer.Option(help="New folder for the joined run.")],
) -> None:
    """Join runs of one grid that were made apart: other cells, solvers or machines.

    Refuses (exit 3) runs that differ in seed, protocol or metrics, different measurements of one exposure, and two
    different outcomes of one cell. The result can be reported, and resumed with the same grid.
    """
    from bench.running.merge import merge

    if len(runs) < 2:
        raise typer.BadParameter("give two runs or more")
    facts = merge(runs, out)
    cells = facts["cells"]
    typer.echo(f"{out}: {cells['total']} test cells of {len(runs)} runs, {cells['failed']} failed")
    typer.echo(f"report   bench report {out} --out reports/{out.name}")
