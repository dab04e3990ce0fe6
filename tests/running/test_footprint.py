"""What a dry run says of memory that nothing has taken yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.cli.forecast import table
from bench.methods.diffusion.denoiser import ModelBase
from bench.methods.diffusion.schedule import Schedule
from bench.running.footprint import live_mb, seen_by
from bench.running.forecast import forecast
from tests.running.test_forecast import planned


class Chain(ModelBase):
    """x -> exp x -> exp exp x -> their sum: one MiB for each picture of 512 x 512."""

    schedule = Schedule.make("linear")
    stride = 8

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        first = x.exp()
        return first + first.exp()


def test_the_peak_counts_what_is_alive_at_once() -> None:
    """The first, the second and their sum; with a gradient the two exponentials stay, and x's gradients come."""
    x = seen_by(Chain(), (1, 509, 512), 1)
    assert (x.shape, x.device.type) == ((1, 1, 512, 512), "meta")
    assert live_mb(Chain(), x, gradient=False) == pytest.approx(3, abs=0.01)
    assert live_mb(Chain(), torch.cat([x, x]), gradient=False) == pytest.approx(6, abs=0.01)
    assert 4 <= live_mb(Chain(), x, gradient=True) <= 7


def test_colours_are_seen_together_or_one_by_one() -> None:
    colour = Chain()
    colour.channels = 3
    assert seen_by(colour, (3, 16, 24), 2).shape == (2, 3, 16, 24)
    assert seen_by(Chain(), (3, 16, 24), 2).shape == (6, 1, 16, 24)


@pytest.mark.slow
def test_the_estimate_is_within_a_factor_of_two_of_what_a_probe_measures(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_grid("diffpir: {steps: 2}", "dps: {steps: 2}", more='exclude: ["sigma == 1"]')
    estimated = forecast(planned(path, tmp_path / "out"))
    probed = {r["solver"]: r for r in forecast(planned(path, tmp_path / "out"), probe=True)}
    for row in estimated:
        measured = probed[row["solver"]]
        assert (row["memory_from"], measured["memory_from"]) == ("one evaluation of the prior", "a probe of 1 cell")
        assert 0.5 < row["memory_mb"] / measured["memory_mb"] < 2
        assert f"~{row['memory_mb']:.0f}" in table(estimated, 1)
