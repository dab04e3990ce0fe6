"""The grid that a command names: a file, a shipped name, or the copy in a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.grid.schema import Grid


def named_grid(name: str) -> Grid:
    """The grid of that name or path; that of a run folder has its relative paths from where the run's own grid lay.

    Raises GridError.
    """
    from bench.grid.read import find_grid, read_grid
    from bench.results.folder import ResultsFolder

    path = find_grid(name)
    return read_grid(path, ResultsFolder(path.parent).base_of(path))
