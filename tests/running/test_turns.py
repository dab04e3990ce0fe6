"""Which worker solves what, and how often: a solver's process is dear, and a timed call dearer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bench.grid.read import read_grid
from bench.running.runner import Options, Runner
from tests.conftest import PLUGINS, Silent

SOLVER = '''
"""Writes down who solves."""

import os
import time
from dataclasses import dataclass

from torch import Tensor

from bench import Problem, Solver, tunable


@dataclass(frozen=True)
class Noted(Solver):
    """The measurement."""

    scale: float = tunable(1.0, low=0.5, high=2.0)
    marker: str = ""

    def solve(self, problem: Problem) -> Tensor:
        """Return y."""
        time.sleep(0.05)
        with open(self.marker, "a", encoding="ascii") as file:
            file.write(f"{self.scale} {os.getpid()}\\n")
        return problem.y * self.scale
'''


def calls(folder: Path, solvers: str, images: int = 4) -> Counter[tuple[str, str]]:
    """How often each process solved with each value, in a run with two workers."""
    (folder / "noted.py").write_text(SOLVER)
    (folder / "grid.yaml").write_text(
        "name: turns\n"
        f"data: {{test: {{{PLUGINS}/noise_images.py: {{split: test, count: {images}}}}}, "
        f"val: {{{PLUGINS}/noise_images.py: {{split: val, count: 2}}}}}}\n"
        f"blur: [{{{PLUGINS}/walk.py: {{id: walk}}}}]\nnoise: [{{{PLUGINS}/gauss.py: {{}}}}]\n"
        f"solvers: [{{./noted.py: {{marker: {folder}/calls, {solvers}}}}}]\n"
        "metrics: [psnr]\nprotocol: {border: 2}\nrun: {timeout: 60, workers: 2}\n"
    )
    Runner(read_grid(folder / "grid.yaml"), Options(folder / "out"), Silent()).run()
    made: Counter[tuple[str, str]] = Counter()
    for line in (folder / "calls").read_text(encoding="ascii").splitlines():
        scale, pid = line.split()
        made[scale, pid] += 1
    return made


def test_two_workers_with_two_solvers_to_run_take_one_each(tmp_path: Path) -> None:
    made = calls(tmp_path, "scale: [0.8, 1.2]", images=6)
    busiest = {scale: max(n for (s, _), n in made.items() if s == scale) for scale in ("0.8", "1.2")}
    assert min(busiest.values()) >= 5  # of six, and the first twice; the last may be shared


def test_what_is_timed_for_the_table_is_a_second_call_and_a_search_makes_one(tmp_path: Path) -> None:
    made = calls(tmp_path, "tune: {scale: [0.8, 0.9, 1.0]}", images=2)
    assert sum(n for (s, _), n in made.items() if s in ("0.8", "0.9")) == 4  # two candidates, two images each
    own = {pid: n for (s, pid), n in made.items() if s == "1.0"}
    assert sum(own.values()) in (2 + 2 + 1, 2 + 2 + 2)  # and, of the test, one call more in each process
