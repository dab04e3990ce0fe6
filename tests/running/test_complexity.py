"""Parameters and MACs of a solver's networks: of one evaluation by torch's formulas, times the calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.cli.forecast import amount
from bench.contracts import Cost
from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.levels import at_sigma
from bench.methods.diffusion.power_law import PHOTOGRAPHS, GaussianImages
from bench.methods.networks.restoration_weights import load_unrolled
from bench.methods.networks.weights import load
from bench.plugins.weights import find_weights
from bench.running.complexity import complexity, measured
from bench.running.runner import Finished
from tests.make_solver import made
from tests.methods.test_prior_plugins import problem
from tests.problems import camera
from tests.problems import problem as small
from tests.solvers.test_unrolled import CONFIG
from tests.solvers.test_unrolled import write as write_unrolled


def conv(C: int, K: int, k: int) -> nn.Conv2d:
    return nn.Conv2d(C, K, k, padding=k // 2).requires_grad_(False)


def test_a_convolution_multiplies_by_its_kernel_at_every_pixel() -> None:
    cost, net = Cost(), conv(2, 3, 5)
    cost.watch(net)
    for _ in range(4):
        net(torch.zeros(2, 2, 8, 9))
    pixel = 2 * 3 * 5 * 5
    assert complexity(cost, 2) == {"parameters": pixel + 3, "macs": 4 * pixel * 8 * 9}


def test_a_backward_pass_to_the_input_costs_as_much_again() -> None:
    cost, net = Cost(), conv(2, 3, 5)
    cost.watch(net)
    for _ in range(3):
        x = torch.zeros(1, 2, 8, 9, requires_grad=True)
        torch.autograd.grad(net(x).sum(), x)
    assert (cost.nfe_forward, cost.nfe_backward) == (3, 3)
    assert complexity(cost, 1)["macs"] == 3 * 2 * (2 * 3 * 5 * 5) * 8 * 9


def test_inputs_of_two_sizes_are_counted_apart_and_one_network_once() -> None:
    cost, net = Cost(), conv(1, 1, 3)
    cost.watch(net)
    for side in (8, 16, 16):
        net(torch.zeros(1, 1, side, side))
    assert complexity(cost, 1) == {"parameters": 10, "macs": 9 * (8**2 + 2 * 16**2)}


def test_a_sampler_multiplies_what_its_prior_does_in_every_step() -> None:
    photos = load(find_weights("photos")).double()
    one = Cost()
    at = at_sigma(photos.schedule, 0.3)
    with torch.no_grad():
        Denoiser(photos, one).x0(torch.zeros(1, 1, 16, 16, dtype=torch.float64), at)
    alone = complexity(one, 1)
    given = problem(photos)
    with torch.no_grad():
        made("diffpir", steps=5).solve(given)
    assert alone["parameters"] == photos.card["parameters"]
    assert alone["macs"]
    assert complexity(given.cost, 1) == {"parameters": alone["parameters"], "macs": 5 * alone["macs"]}


def test_an_unrolled_solver_multiplies_what_its_denoiser_does_in_every_step(tmp_path: Path) -> None:
    given, _ = small([camera(32)])
    path = write_unrolled(tmp_path / "w.safetensors")
    made("unrolled", weights=str(path)).solve(given)
    (evaluated,) = given.cost.evaluated.values()
    once, _ = measured(evaluated.call, evaluated.inputs, backward=False)
    card = complexity(given.cost, 1)
    assert (given.cost.nfe_forward, given.cost.nfe_backward) == (CONFIG.steps, 0)
    assert card == {"parameters": sum(p.numel() for p in load_unrolled(path).parameters()), "macs": 3 * once}
    assert once > 32 * 32 * 8


def test_a_deepinv_model_counts_the_denoiser_that_it_was_given() -> None:
    options = {"in_channels": 1, "out_channels": 1, "depth": 3, "nf": 4}
    given, _ = small([camera(32), camera(32)], dtype=torch.float32)
    solver = made(
        "deepinv_model",
        model="deepinv.optim.DPIR",
        options={"sigma": 0.05},
        denoiser="deepinv.models.DnCNN",
        denoiser_options=options,
    )
    solver.solve(given)
    # 8 iterations for each image, solved one by one; kernels of 3 x 3 in layers of 1 x 4, 4 x 4 and 4 x 1 channels
    filters = 4 + 16 + 4
    assert given.cost.nfe_forward == 2 * 8
    assert complexity(given.cost, 2) == {"parameters": 9 * filters + 4 + 4 + 1, "macs": 8 * 9 * filters * 32**2}


def test_without_a_network_there_is_nothing_to_count_and_a_closed_form_counts_nothing() -> None:
    given = problem(GaussianImages(PHOTOGRAPHS))
    assert complexity(given.cost, 1) == {"parameters": None, "macs": None}
    with torch.no_grad():
        made("dps", steps=2).solve(given)
    assert complexity(given.cost, 1) == {"parameters": 0, "macs": 0}


def test_a_network_that_refuses_zeros_has_parameters_alone() -> None:
    class Once(nn.Conv2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            assert input.any()
            return super().forward(input)

    cost, net = Cost(), Once(1, 1, 3)
    cost.watch(net)
    net(torch.ones(1, 1, 8, 8))
    assert complexity(cost, 1) == {"parameters": 10, "macs": None}


@pytest.mark.slow  # torch's class imports its compiler
def test_the_count_is_half_of_what_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    photos = load(find_weights("photos"))
    x, t = torch.zeros(1, 1, 16, 16), torch.zeros(1, dtype=torch.float64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        photos.x0(x, t)
    cost = Cost()
    cost.evaluation(photos, x, t, call=photos.x0)
    (evaluated,) = cost.evaluated.values()
    assert measured(evaluated.call, evaluated.inputs, backward=False)[0] == counter.get_total_flops() / 2


def test_rows_have_both_and_the_forecast_repeats_them(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    from bench.grid.conditions import Expression
    from bench.running.forecast import forecast
    from tests.running.test_forecast import planned

    path = write_grid("@copy.py", "@prior_once.py")
    before = {r["solver"]: r for r in forecast(planned(path, tmp_path / "out"))}
    assert (before["copy"]["parameters"], before["prior_once"]["parameters"]) == (None, 1764480)
    done = run_grid(path, only=Expression("T < 0.6 and sigma == 1")).test
    rows = {r["solver"]: r for r in done}
    assert (rows["copy"]["parameters"], rows["copy"]["macs"]) == (None, None)
    assert rows["prior_once"]["parameters"] == 1764480
    assert rows["prior_once"]["macs"] > 1e7
    after = {r["solver"]: r for r in forecast(planned(path, tmp_path / "out"))}
    assert after["prior_once"]["macs"] == rows["prior_once"]["macs"]
    assert after["prior_once"]["memory_mb"] > 10


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0, "0"), (999.7, "1k"), (1764480, "1.76M"), (2e13, "20T")])
def test_large_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert amount(value) == text
