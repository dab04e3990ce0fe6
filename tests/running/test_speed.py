"""``bench speed``: every solver is timed on the same measurement, whatever becomes of the others."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from bench.cli import app
from bench.running.speed import measurement, solvers, timings

MINE = '''"""Mine."""
from dataclasses import dataclass
from typing import ClassVar
from bench import Problem, Solver
@dataclass(frozen=True)
class Mine(Solver):
    """Gives the measurement back, or raises."""
    broken: bool = False
    blind: ClassVar[bool] = True
    def solve(self, problem: Problem):
        """y."""
        if self.broken:
            raise RuntimeError("it broke")
        return problem.y
'''


def test_ones_own_solver_is_timed_beside_the_built_in_ones(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(MINE)
    given = measurement(32, "valid")
    mine_row, blurred, wiener = timings([str(mine), "blurred", "wiener"], {}, given, "valid", seconds=0)
    assert mine_row.psnr == blurred.psnr
    assert blurred.psnr is not None
    assert wiener.psnr is not None
    assert wiener.psnr > blurred.psnr
    assert wiener.cpu is not None
    assert wiener.cpu > 0


def test_a_solver_that_fails_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(MINE)
    result = CliRunner().invoke(
        app, ["speed", str(mine), "tv", "--set", "broken=true", "--size", "32", "--minutes", "0", "--json"]
    )
    assert result.exit_code == 0, result.output
    broken, tv = json.loads(result.stdout)
    assert "it broke" in broken["error"]
    assert broken["cpu"] is None
    assert tv["psnr"] > 20
    assert tv["settings"] == {}


def test_by_default_it_times_what_restores_blurred_pictures() -> None:
    assert {"wiener", "tv", "sprox", "deepinv_dps", "convir"} <= set(solvers())
    assert not {"tstar_denoise", "vpsde_denoise"} & set(solvers())
