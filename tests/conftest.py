"""Fixtures: small grids of plug-ins that cost nothing, so that the harness itself is under test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.grid.cells import Cell
from bench.grid.read import read_grid
from bench.running.runner import Finished, Options, Runner

PLUGINS = Path(__file__).parent / "example_plugins"

#: A grid of eight shots: two images, two T of one trajectory, two noise levels.
GRID = """
name: small
seed: 7
data:
  test: {{{noise_images}: {{split: test, count: 2}}}}
  val: {{{noise_images}: {{split: val, count: 2}}}}
blur:
  - {walk}: {{id: walk, T: [0.5, 1.0]}}
noise:
  - {gauss}: {{sigma: [1, 8]}}
solvers:
{solvers}
metrics: [psnr]
protocol: {{border: 2, dtype: float64}}
run: {{timeout: 20, workers: 1, images: 1{run}}}
{more}
"""


class Silent:
    """A Progress that keeps what it hears."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.outcomes: list[dict[str, Any]] = []
        self.offered: list[tuple[list[Mapping[str, Any]], int, int]] = []

    def preliminary(self, rows: Sequence[Mapping[str, Any]], total: int) -> None:
        self.offered.append((list(rows), total, len(self.outcomes)))

    def stage(self, name: str, total: int, done: int) -> None:
        self.stages.append((name, total, done))

    def cell(self, cell: Cell, outcome: dict[str, Any]) -> None:
        self.outcomes.append(outcome)


@pytest.fixture
def write_grid(tmp_path: Path) -> Callable[..., Path]:
    """Write a small grid with the solvers given as YAML list entries; files of tests/example_plugins by name."""

    def write(*solvers: str, run: str = "", more: str = "", name: str = "grid.yaml") -> Path:
        text = GRID.format(
            noise_images=PLUGINS / "noise_images.py",
            walk=PLUGINS / "walk.py",
            gauss=PLUGINS / "gauss.py",
            solvers="\n".join(f"  - {s.replace('@', f'{PLUGINS}/')}" for s in solvers),
            run=f", {run}" if run else "",
            more=textwrap.dedent(more),
        )
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def run_grid(tmp_path: Path) -> Callable[..., Finished]:
    """Run a grid file in ``tmp_path/out`` (or ``folder``) with the options given."""

    def run(path: Path, folder: str = "out", **options: Any) -> Finished:
        return Runner(read_grid(path), Options(tmp_path / folder, **options), Silent()).run()

    return run


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in a fixed order, and no waiting for busy cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
