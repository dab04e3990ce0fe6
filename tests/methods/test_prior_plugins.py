"""Priors as plug-ins: names in a grid, denoisers of σ, and what is assumed of one that nobody measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.contracts import NoiseLevel
from bench.errors import GridError, SettingError
from bench.grid.priors import prior_variants
from bench.grid.read import read_grid
from bench.imaging.measure import Measurement
from bench.methods.diffusion.denoiser import ASSUMED, Denoiser, ModelBase, PriorModel
from bench.methods.diffusion.levels import at_sigma, levels
from bench.methods.diffusion.power_law import PHOTOGRAPHS, GaussianImages
from bench.methods.diffusion.schedule import Schedule
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser
from bench.methods.diffusion.start import begin
from bench.methods.diffusion.task import Task
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem
from bench.seeds import generator
from bench.testing import check_prior
from tests.make_solver import made


class Wiener(SigmaDenoiser):
    """The exact denoiser of Gaussian images, asked for σ alone."""

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        assert sigma.min() > 0.009
        assert sigma.max() < 0.59
        S, v = PHOTOGRAPHS.spectrum((x.shape[-2], x.shape[-1])), (sigma**2).view(-1, 1, 1, 1)
        gain = (S / (S + v)).to(x)
        return PHOTOGRAPHS.mean + torch.fft.irfft2(torch.fft.rfft2(x - PHOTOGRAPHS.mean) * gain, s=x.shape[-2:])


def problem(prior: PriorModel) -> Problem:
    y = np.random.default_rng(0).random((1, 16, 16))
    measured = Measurement(y=y, truth=y, psf=np.ones((1, 1)), T=1.0, level=NoiseLevel(0.0, 0.05))
    return assemble(
        [measured], [generator(0)], boundary="circular", dtype=torch.float64, prior=lambda cost: Denoiser(prior, cost)
    )


def test_a_denoiser_of_sigma_answers_as_the_same_denoiser_under_the_schedule() -> None:
    mine, exact = Wiener(0.0, 0.588), GaussianImages(PHOTOGRAPHS)
    x = torch.randn(2, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    levels_ = [at_sigma(mine.schedule, s) for s in (0.02, 0.4)]
    same = [at_sigma(exact.schedule, s) for s in (0.02, 0.4)]
    torch.testing.assert_close(Denoiser(mine).x0(x, levels_), Denoiser(exact).x0(x, same))


def test_a_sampler_begins_at_the_highest_level_that_the_prior_knows() -> None:
    task = Task(problem(Wiener(0.0, 0.588)))
    x, steps = begin(task, "uniform", 5)
    assert 0.57 < steps[0][0].sigma <= 0.588
    top = steps[0][0]
    spread = (x / top.a - task.wiener()).std()
    assert float(spread) == pytest.approx(top.sigma, rel=0.2)


@pytest.mark.parametrize("name", ["dps", "diffpir", "sprox", "pigdm", "ddrm", "reddiff", "daps", "pnp_hqs"])
def test_every_sampler_stays_within_the_range_of_its_denoiser(name: str) -> None:
    few = {"daps": {"steps": 3, "flow": 2}}.get(name, {"steps": 4})
    with torch.no_grad():
        x = made(name, **few).solve(problem(Wiener(0.0, 0.588)))
    assert torch.isfinite(x).all()


def test_levels_between_keeps_the_range_and_refuses_an_empty_one() -> None:
    schedule = Schedule.make("linear").between(0.1, 1.0)
    sigmas = [v.sigma for v in levels(schedule, "uniform", 4)]
    assert 0.1 <= min(sigmas) < max(sigmas) <= 1.0
    with pytest.raises(SettingError, match="no two levels"):
        Schedule.make("linear").between(0.001, 0.002)


def test_an_unmeasured_prior_is_taken_for_gaussian_and_the_row_says_so() -> None:
    class Unknown(ModelBase):
        schedule = Schedule.make("linear")

    denoiser, like = Denoiser(Unknown()), torch.zeros(1, dtype=torch.float64)
    assert not denoiser.notes
    torch.testing.assert_close(denoiser.error_power(0.1, (8, 8), like), PHOTOGRAPHS.error_power(0.1, (8, 8), like))
    assert list(denoiser.notes) == [ASSUMED]


def test_the_error_of_gaussian_images_is_what_their_denoiser_makes() -> None:
    """E|F(x_0 - x̂_0)|²/(H W), over many draws, ring by ring."""
    model, sigma = GaussianImages(PHOTOGRAPHS), 0.3
    rng = torch.Generator().manual_seed(0)
    white, noise = (torch.randn(800, 1, 8, 8, generator=rng, dtype=torch.float64) for _ in range(2))
    S = PHOTOGRAPHS.spectrum((8, 8))
    x = PHOTOGRAPHS.mean + torch.fft.irfft2(torch.fft.rfft2(white) * S.sqrt(), s=(8, 8))
    level = at_sigma(model.schedule, sigma)
    error = x - Denoiser(model).x0(level.a * x + level.s * noise, level)
    power = (torch.fft.rfft2(error).abs() ** 2).mean((0, 1)) / 64
    torch.testing.assert_close(power / model.error_power(sigma, (8, 8), x), torch.ones_like(power), atol=0.25, rtol=0)


def test_names_of_weights_are_short_for_a_trained_prior(tmp_path: Path) -> None:
    (short,), (long,) = (prior_variants(g, tmp_path) for g in ("photos", {"trained": {"weights": "photos"}}))
    assert (short.id, short.settings) == (long.id, long.settings) == ("photos", {"weights": "photos", "tile": None})


def test_a_list_of_priors_is_an_axis_and_a_solver_may_have_its_own(write_grid: Callable[..., Path]) -> None:
    path = write_grid("dps: {steps: 2}", "sprox: {prior: ct}", "tv", more="prior: [photos, gaussian]")
    assert [s.label for s in read_grid(path).solvers] == ["dps · photos", "dps · gaussian", "sprox", "tv"]


@pytest.mark.parametrize(
    ("solver", "more", "message"),
    [
        ("dps: {weights: ct}", "", "prior: ct"),
        ("dps", "prior: fotos", "Did you mean 'photos'"),
        ("dps", "prior: [photos, photos]", "two entries called 'photos'"),
        ("dps", "prior: {gaussian: {slop: 2}}", "no parameter 'slop'"),
    ],
)
def test_a_wrong_prior_is_answered_with_what_is_right(
    write_grid: Callable[..., Path], solver: str, more: str, message: str
) -> None:
    with pytest.raises(GridError, match=message):
        read_grid(write_grid(solver, more=more))


@pytest.mark.parametrize("name", ["gaussian", "trained"])
def test_a_built_in_prior_conforms(name: str) -> None:
    check_prior(name)


EXAMPLE = Path(__file__).parents[2] / "docs" / "priors.md"


@pytest.mark.skipif(not EXAMPLE.is_file(), reason="there are no docs beside the package")
@pytest.mark.parametrize(("old", "new", "message"), [("", "", None), ("x * (0.25", "(x + 1) / 2 * (0.25", "[-1, 1]")])
def test_the_example_of_the_docs_conforms_and_one_in_other_units_does_not(
    tmp_path: Path, old: str, new: str, message: str | None
) -> None:
    code = EXAMPLE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "shrunk.py").write_text(code.replace(old, new) if old else code, encoding="utf-8")
    if message is None:
        check_prior("./shrunk.py", base=tmp_path)
    else:
        with pytest.raises(AssertionError, match=re.escape(message)):
            check_prior("./shrunk.py", base=tmp_path)
