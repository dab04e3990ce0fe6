"""The states of a sampler's run: seen without changing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import SolverError
from bench.grid.cells import Cell
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.methods.diffusion.schedule import Schedule
from bench.running.score import given, taken
from bench.running.solve import attempt
from bench.running.trace import Trace, trace
from tests.restoration import RESIDUAL, UNET, write_conditional

pytestmark = pytest.mark.usefixtures("one_thread")

GRID = """
name: strips
data:
  test: {{phantoms: {{size: 24, margin: 4, limit: 1}}}}
blur: [{{gaussian: {{sigma: 1}}}}]
noise: [{{poisson_gaussian: {{lam: .inf, sigma: 5}}}}]
prior: gaussian
solvers:
  - {solver}
metrics: [psnr]
run: {{images: 0}}
"""


def cell(folder: Path, solver: str) -> Cell:
    (folder / "grid.yaml").write_text(GRID.format(solver=solver))
    grid = read_grid(folder / "grid.yaml")
    planner = Planner(grid, ImageIndex(folder / "index"))
    (one,) = planner.cells("test", grid.solvers[0], planner.settings)
    return one


@pytest.mark.parametrize(
    "solver",
    [
        "adjoint_ddim: {steps: 9}",
        "dps: {steps: 9}",
        "pigdm: {steps: 9}",
        "reddiff: {steps: 9}",
        "diffpir: {steps: 9}",
        "sprox: {steps: 9}",
        "ddrm: {steps: 9}",
        "daps: {steps: 3}",
        "pnp_hqs: {steps: 9}",
    ],
)
def test_a_watched_sampler_comes_to_the_same_estimate_to_the_last_bit(solver: str, tmp_path: Path) -> None:
    """Nothing that is computed for the strip enters the run: no draw of a generator, no gradient."""
    one = cell(tmp_path, solver)
    run = trace(one, "cpu", frames=4)
    alone = attempt(given([one], "cpu"), [taken(one).sensed])
    assert np.array_equal(run.estimate, alone.x[0, 0].astype(np.float64))
    assert run.evaluations == alone.cost["nfe_forward"] == 9
    assert run.scores["m_psnr"] > 0


def test_the_states_lead_from_noise_to_the_picture(tmp_path: Path) -> None:
    run = trace(cell(tmp_path, "adjoint_ddim: {steps: 40}"), "cpu", frames=5)
    assert [s.number for s in run.states] == [0, 10, 20, 30, 39]
    sigmas = [s.sigma for s in run.states]
    assert sigmas == sorted(sigmas, reverse=True)
    first, last = run.states[0], run.states[-1]
    assert np.std(2 * first.x - 1) == pytest.approx(1, abs=0.1)  # x_T is unit noise
    assert np.abs(last.x0[:, 4:28, 4:28] - run.estimate).mean() < 0.05  # the canvas has 4 pixels around the sensor
    assert run.y.shape == run.estimate.shape == (1, 24, 24)


@pytest.mark.parametrize("config", [UNET, RESIDUAL], ids=["image", "residual"])
def test_patches_are_joined_and_averaged_chains_told_apart(config: Any, tmp_path: Path) -> None:
    weights = write_conditional(tmp_path / "dm.safetensors", config)
    one = cell(tmp_path, f"conditional_dm: {{weights: {weights}, steps: 3, average: 2, patch: 16, batch: 1}}")
    run = trace(one, "cpu", frames=8)
    assert run.evaluations == 3
    assert len(run.states) == 3
    assert {s.x.shape for s in run.states} == {s.x0.shape for s in run.states} == {(1, 24, 24)}
    alone = attempt(given([one], "cpu"), [taken(one).sensed])
    assert np.allclose(run.estimate, alone.x[0, 0], atol=1e-5)  # all patches at once round differently


def test_the_steps_of_an_unrolled_solver_are_its_states(tmp_path: Path) -> None:
    one = cell(tmp_path, "unrolled")
    run = trace(one, "cpu", frames=8)
    assert [s.number for s in run.states] == [0, 1, 2, 3]
    assert all(s.sigma > 0 for s in run.states)  # learnt: they need not fall
    alone = attempt(given([one], "cpu"), [taken(one).sensed])
    assert np.array_equal(run.estimate, alone.x[0, 0].astype(np.float64))


def test_a_solver_without_states_says_so(tmp_path: Path) -> None:
    with pytest.raises(SolverError, match="no intermediate states"):
        trace(cell(tmp_path, "wiener"), "cpu")


class Halved:
    """A denoiser: half of what it is given."""

    schedule = Schedule.make("linear")

    def x0(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x / 2


def test_a_long_run_is_thinned_as_it_goes() -> None:
    """Memory for four times what is wanted, however many evaluations there are."""
    watch, model = Trace(8, lambda x: x[0], lambda x: x[0]), Halved()
    for i in range(1000):
        x = torch.full((1, 1, 2, 2), float(i))
        watch.evaluation(model, x, torch.tensor([0.0]), call=model.x0)
        assert len(watch.states) <= 33
    states, evaluations = watch.chosen(chains=1)
    assert (watch.nfe_forward, evaluations, len(states)) == (1000, 1000, 8)
    assert states[0].number == 0
    assert states[-1].number == 999
    assert all(s.x[0, 0, 0] == s.number == 2 * s.x0[0, 0, 0] for s in states)
    assert [s.number for s in watch.chosen(chains=2)[0]][-1] < 500
