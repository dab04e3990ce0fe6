"""A GPU whose memory holds fewer images than a batch has: the run goes on with half as many at once, and says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from bench.grid.cells import Cell
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.methods.make_problem import Sensed
from bench.running.environment import Shared
from bench.running.isolation import SolverFailed, Solvers
from bench.running.solve import Attempt, Given
from bench.running.worker import Worker


class Small:
    """Solvers on a device that holds ``room`` images; ``status`` is what becomes of more."""

    def __init__(self, room: int, status: str = "oom"):
        self.room, self.status = room, status
        self.asked: list[int] = []

    def environment(self) -> dict[str, str]:
        return {}

    def solve(self, given: Given, sensed: Sequence[Sensed], timeout: float) -> Attempt:
        assert given.samples == 1
        assert timeout > 0
        self.asked.append(len(sensed))
        if len(sensed) > self.room:
            raise SolverFailed({"status": self.status, "error_type": "OutOfMemoryError", "error_message": "full"})
        return Attempt(np.stack([s.y for s in sensed])[None], {"nfe_forward": 1})


def solved(cells: Sequence[Cell], device: Small) -> list[dict[str, Any]]:
    return Worker(Shared(device="cuda:0"), cast(Solvers, device)).run(cells, 60.0)


def eight(write_grid: Callable[..., Path], tmp_path: Path) -> list[Cell]:
    """Cells of one solver and one degradation: a batch."""
    path = write_grid("@copy.py")
    path.write_text(path.read_text().replace("split: test, count: 2", "split: test, count: 8"))
    grid = read_grid(path)
    planner = Planner(grid, ImageIndex(tmp_path / "index"))
    cells = list(planner.cells("test", grid.solvers[0], planner.settings))
    return [c for c in cells if c.shot.degradation == cells[0].shot.degradation]


def test_where_memory_runs_out_half_as_many_are_solved_at_once_and_the_rows_say_how_many(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    cells, device = eight(write_grid, tmp_path), Small(room=3)
    assert len(cells) == 8
    rows = solved(cells, device)
    assert device.asked == [8, 4, 2, 2, 2, 2]
    assert {(r["status"], r["batch"]) for r in rows} == {("ok", 2)}


def test_an_image_that_memory_does_not_hold_alone_is_a_row_without_an_estimate(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    rows = solved(eight(write_grid, tmp_path)[:2], Small(room=0))
    assert {(r["status"], r["batch"]) for r in rows} == {("oom", 1)}


def test_another_failure_is_looked_for_one_by_one(write_grid: Callable[..., Path], tmp_path: Path) -> None:
    device = Small(room=1, status="error")
    assert {r["status"] for r in solved(eight(write_grid, tmp_path)[:4], device)} == {"ok"}
    assert device.asked == [4, 1, 1, 1, 1]
