"""``bench show --reverse`` and ``--forward``: figures of a run, a prior, a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import BenchError, PluginError, RecipeError, ResultError
from bench.results import parquet as results
from bench.running.runner import Finished

GRID = """
name: strips
data:
  test: {phantoms: {size: 24, margin: 4, limit: 1}}
blur: [{gaussian: {sigma: 1}}]
noise: [{poisson_gaussian: {lam: .inf, sigma: 5}}]
prior: gaussian
solvers:
  - diffpir: {steps: 6}
metrics: [psnr]
run: {images: 0}
"""


def test_reverse_draws_a_cell_and_says_that_it_was_the_run_of_the_row(
    run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "grid.yaml").write_text(GRID)
    run_grid(tmp_path / "grid.yaml")
    (row,) = results.read(tmp_path / "out" / "results.parquet")
    words = ["show", row["cell_key"][:12], "--runs", str(tmp_path / "out"), "--reverse", "--frames", "3"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "strip.png")])
    assert done.exit_code == 0, done.output
    assert "3 of 6 evaluations; the row's metrics to the last bit" in done.output
    with Image.open(tmp_path / "strip.png") as picture:
        width, height = picture.size
    assert width > 2 * height  # five pictures beside one another, two below


@pytest.mark.parametrize(("name", "rows"), [("gaussian", 2), ("seed003_ct_28", 1)])
def test_forward_draws_a_priors_schedule_with_its_estimates_and_a_recipes_without(
    name: str, rows: int, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["show", name, "--forward", "--out", str(tmp_path / "forward.png")])
    assert done.exit_code == 0, done.output
    assert "1000 levels" in done.output
    with Image.open(tmp_path / "forward.png") as picture:
        _, height = picture.size
    assert height == pytest.approx(150 * (1.7 * rows + 3.2), abs=2)


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["gausian", "--forward"], PluginError, "Did you mean 'gaussian'"),
        (["swinir_light_cpu", "--forward"], RecipeError, "it has no schedule"),
        (["gaussian", "--forward", "--out", "here.gif"], ResultError, "figures are written as .png, .pdf, .svg"),
    ],
)
def test_what_cannot_be_drawn_is_refused(words: list[str], error: type[BenchError], text: str) -> None:
    done = CliRunner().invoke(app, ["show", *words])
    assert isinstance(done.exception, error)
    assert text in str(done.exception)
