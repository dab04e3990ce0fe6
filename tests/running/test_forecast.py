"""What a dry run says about time and cost, and that it says from where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.forecast import table
from bench.grid.read import read_grid
from bench.running.forecast import forecast
from bench.running.runner import Finished, Options, Runner
from tests.conftest import Silent

Write = Callable[..., Path]
Run = Callable[..., Finished]


def planned(path: Path, out: Path) -> Runner:
    return Runner(read_grid(path), Options(out), Silent())


def test_a_solver_that_never_ran_has_no_estimate(write_grid: Write, tmp_path: Path) -> None:
    rows = forecast(planned(write_grid("@copy.py"), tmp_path / "out"))
    assert (rows[0]["to_run"], rows[0]["seconds"], rows[0]["estimated_from"]) == (8, None, None)
    assert "no estimate" in table(rows, 2)
    assert not (tmp_path / "out").exists()


def test_earlier_cells_are_extrapolated_and_counted(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    from bench.grid.conditions import Expression

    path = write_grid("@slow_copy.py: {seconds: 0.1}", "@dice.py")
    done = run_grid(path, only=Expression("solver == 'slow_copy' and T < 0.6"))
    rows = {r["solver"]: r for r in forecast(planned(path, tmp_path / "out"))}
    mean = sum(r["seconds"] for r in done.test) / 4
    assert rows["slow_copy"]["estimated_from"] == "4 earlier cells"
    assert rows["slow_copy"]["seconds"] == pytest.approx(4 * mean)
    text = table(list(rows.values()), workers=4, price=3600.0)
    assert f"{4 * mean:.2f} at 3600 per worker and hour" in text
    assert "not in it, for want of any measurement: dice" in text
    assert "solve time alone" in text


def test_a_probe_solves_one_cell_of_each_unknown_solver_and_records_nothing(
    write_grid: Write, tmp_path: Path
) -> None:
    path = write_grid("@slow_copy.py: {seconds: 0.1}", "@broken.py: {how: raise}", more='exclude: ["sigma == 1"]')
    rows = {r["solver"]: r for r in forecast(planned(path, tmp_path / "out"), probe=True)}
    assert rows["slow_copy"]["estimated_from"] == "a probe of 1 cell"
    assert rows["slow_copy"]["seconds_per_cell"] >= 0.1
    assert rows["broken"]["seconds"] is None  # it failed: nothing is known about it
    assert not (tmp_path / "out").exists()
