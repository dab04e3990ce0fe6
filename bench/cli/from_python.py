"""The harness from Python: a grid in, results out. ``bench.run`` and ``bench.load`` lead here.

import bench

results = bench.run("quickstart")
results.leaderboard()
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench.cli.grid_file import named_grid
from bench.report.results import Results

__all__ = ["Results", "load", "run"]


def run(
    grid: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    only: str | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    workers: int | None = None,
    device: str | None = None,
    progress: bool = True,
) -> Results:
    """Run a grid as ``bench run`` does: the same folder, the same cells, nothing computed twice.

    Args:
        grid: a grid file, the name of a shipped grid, or what a grid file holds as a dictionary, whose relative paths
            start from the current folder.
        out: results folder; by default runs/NAME. Called again with the same folder, it goes on where it ended.
        only: run only cells for which this holds, such as "solver == 'tv'".
        limit: at most so many images per dataset.
        retry_failed: run failed cells again.
        workers: worker processes; by default one per core, one on a GPU.
        device: a torch device.
        progress: show how far it is, in a notebook beneath the cell, else on standard error.

    Returns:
        The results of everything in the folder that the grid asks for. Cells that failed are rows with a status.

    Raises:
        GridError: the grid is wrong; every mistake with its line.
        ResultError: the folder is in use or cannot be written.
    """
    from bench.grid.conditions import Expression
    from bench.running.progress import Silent, progress_bar
    from bench.running.runner import Options, Runner

    parsed = _read(grid)
    folder = Path(out) if out is not None else Path("runs") / parsed.name
    options = Options(folder, Expression(only) if only else None, limit, retry_failed, workers, device)
    with progress_bar() if progress else nullcontext(Silent()) as shown:
        runner = Runner(parsed, options, shown)
        for sentence in runner.planner.left_out:
            warnings.warn(sentence, stacklevel=2)
        runner.run()
    return Results([folder])


def load(*folders: str | Path) -> Results:
    """The results of finished runs; several are put together as ``bench report`` does.

    Raises:
        ResultError: a folder holds no finished run, or the runs cannot be compared.
    """
    return Results([Path(f) for f in folders])


def _read(grid: str | Path | Mapping[str, Any]) -> Any:
    from bench.grid.read import parse_grid
    from bench.grid.yaml import dump_yaml, parse_yaml

    if not isinstance(grid, Mapping):
        return named_grid(str(grid))
    return parse_grid(parse_yaml(dump_yaml(dict(grid)), "grid"), Path.cwd())
