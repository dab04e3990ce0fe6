"""adjoint_ddim, ddrm, daps, the two denoisers and deepinv's samplers: their updates, by hand and by moments.

What they reach on the oracles is in test_samplers_certified.py, their contract in test_conformance.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench import SettingError
from bench.contracts import Cost, Exposed, Image, NoiseLevel
from bench.imaging.blur import Boundary
from bench.imaging.measure import Measurement, blur_valid, field_of_view
from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.diffusion.levels import at_sigma, levels
from bench.methods.diffusion.schedule import Schedule
from bench.methods.diffusion.task import Task
from bench.methods.libraries.deepinv_prior import DeepinvPrior
from bench.methods.make_problem import assemble
from bench.methods.problem import Problem
from bench.seeds import generator
from bench.verify.linear import Scripted
from bench.verify.oracles.gaussian import GaussianPrior, Scene
from tests.make_solver import made

SHORT: dict[str, dict[str, Any]] = {
    "adjoint_ddim": {"steps": 5},
    "ddrm": {"steps": 5},
    "daps": {"steps": 3, "flow": 2},
    "deepinv_dps": {"steps": 4, "weight": 300.0},
    "deepinv_diffpir": {"steps": 5},
    "tstar_denoise": {"sample": 3},
    "vpsde_denoise": {"steps": 5},
}
PRIOR = GaussianPrior()


class Constant:
    """A prior that answers x0 to everything and keeps what it was asked."""

    channels, stride, mean = 1, 1, 0.0

    def __init__(self, x0: Tensor):
        self.schedule, self.answer = Schedule.make("linear"), x0
        self.asked: list[tuple[Tensor, float]] = []

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        self.asked.append((x, float(t[0])))
        return self.answer.expand_as(x)

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        return like.new_ones(shape[0], shape[1] // 2 + 1)


def problem(
    y: Sequence[np.ndarray],
    psf: np.ndarray | None = None,
    sigma: float = 0.05,
    prior: PriorModel = PRIOR,
    seed: int = 0,
) -> Problem:
    """Circular; y (C, H, W) and sigma in [0, 1] units; no blur by default."""
    psf = np.ones((1, 1)) if psf is None else psf
    measured = [Measurement(y=a, truth=a, psf=psf, T=1.0, level=NoiseLevel(0.0, sigma)) for a in y]
    rngs = [generator("more", seed, i) for i in range(len(measured))]
    return assemble(
        measured, rngs, boundary="circular", dtype=torch.float64, prior=lambda cost: Denoiser(prior, cost)
    )


def solve(name: str, given: Problem, **settings: Any) -> Tensor:
    with torch.no_grad():
        return made(name, **settings).solve(given)


def picture(seed: int = 0, side: int = 16) -> np.ndarray:
    return generator("picture", seed).random((1, side, side))


def power(x: Tensor) -> Tensor:
    """|F(x)|² / pixels, over the images of a batch: (H, W // 2 + 1)."""
    return (torch.fft.rfft2(x).abs() ** 2).mean((0, 1)) / x[0, 0].numel()


TRIANGLE = np.array([[0.25, 0.5, 0.25]])  # its transfer function is zero at the highest horizontal frequency


# --- all ------------------------------------------------------------------------------------------------------


def unequal(images: Sequence[int], boundary: Boundary, blurred: bool) -> Problem:
    """Colour pictures, each with its own kernel, photon noise and read noise."""
    measured = []
    for i in images:
        rng = generator("unequal", i)
        psf = rng.random((3, 5)) if blurred else np.ones((1, 1))
        exposed, level = Exposed(psf / psf.sum()), NoiseLevel(0.001 * i, 0.01 * (1 + i))
        scene = Image(str(i), rng.random((3, 22, 26)), 3)
        y = blur_valid(scene, exposed.psf) if boundary == "valid" else field_of_view(scene.scene, 3, 3)
        measured.append(Measurement(y + level.sigma * rng.standard_normal(y.shape), y, exposed.psf, 1.0, level))
    rngs = [generator("unequal solver", i) for i in images]
    return assemble(measured, rngs, boundary=boundary, dtype=torch.float64, prior=lambda cost: Denoiser(PRIOR, cost))


@pytest.mark.parametrize("boundary", ["circular", "valid"])
@pytest.mark.parametrize("name", SHORT)
def test_images_with_kernels_and_noise_of_their_own_do_not_see_each_other(name: str, boundary: Boundary) -> None:
    blurred = not name.endswith("_denoise")
    together = solve(name, unequal([0, 1, 2], boundary, blurred), **SHORT[name])
    assert torch.isfinite(together).all()
    for split in ([0, 1], [2]):
        part = solve(name, unequal(split, boundary, blurred), **SHORT[name])
        assert torch.allclose(part, together[split], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SHORT)
def test_another_generator_is_another_sample(name: str) -> None:
    one, same, other = (solve(name, problem([picture()], seed=s), **SHORT[name]) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert (one - other).abs().mean() > 1e-4


# --- adjoint_ddim ---------------------------------------------------------------------------------------------


def test_adjoint_ddim_takes_one_landweber_step_of_the_weight_of_the_slides() -> None:
    given, again = (problem([picture()], TRIANGLE, 0.1) for _ in range(2))
    task = Task(again, "mean")
    (now,) = levels(PRIOR.schedule, "uniform", 1)
    x0 = task.x0(now.s * task.noise(), now)
    gamma = now.s**2 / (0.2**2 + now.s**2)  # σ_y = 0.1 in [0, 1] is 0.2 in [-1, 1]
    expected = x0 + gamma * task.At(task.y - task.A(x0))
    assert torch.allclose(solve("adjoint_ddim", given, steps=1), task.estimate(expected), atol=1e-12)


@pytest.mark.parametrize("epsilon", ["kept", "recomputed"])
def test_adjoint_ddim_keeps_or_recomputes_epsilon(epsilon: str) -> None:
    given, again = (problem([picture()], TRIANGLE, 0.1) for _ in range(2))
    task = Task(again, "mean")
    first, second = levels(PRIOR.schedule, "uniform", 2)
    x = first.s * task.noise()
    for now, a, s in ((first, second.a, second.s), (second, 1.0, 0.0)):
        x0_hat = task.x0(x, now)
        x0 = x0_hat + now.s**2 / (0.2**2 + now.s**2) * task.At(task.y - task.A(x0_hat))
        x = a * x0 + s * (x - now.a * (x0_hat if epsilon == "kept" else x0)) / now.s
    assert torch.allclose(solve("adjoint_ddim", given, steps=2, epsilon=epsilon), task.estimate(x), atol=1e-12)


def test_adjoint_ddim_of_worthless_data_samples_the_prior_either_way() -> None:
    kept, recomputed = (
        solve("adjoint_ddim", problem([picture()], sigma=1e4), steps=8, epsilon=e) for e in ("kept", "recomputed")
    )
    assert torch.allclose(kept, recomputed, atol=1e-5)


# --- reddiff --------------------------------------------------------------------------------------------------


def test_reddiff_is_algorithm_1_with_the_adam_of_torch() -> None:
    answer = 2 * torch.from_numpy(picture(1))[None] - 1
    y, lam, lr = [picture()], 0.7, 0.1
    given = problem(y, TRIANGLE, prior=Constant(answer))
    x = solve("reddiff", given, steps=4, lam=lam, lr=lr, init="zero")
    task = Task(problem(y, TRIANGLE, prior=Constant(answer)), "mean")
    mu = torch.zeros_like(task.y, requires_grad=True)
    adam = torch.optim.Adam([mu], lr=lr, betas=(0.9, 0.99), eps=1e-12)
    for now in levels(task.prior.schedule, "uniform", 4):
        noise = task.noise()
        epsilon = (now.a * mu.detach() + now.s * noise - now.a * answer) / now.s
        weight = lam * 100 * task.sigma**2 * now.sigma
        loss = ((task.y - task.A(mu)) ** 2).sum() / 2 + (weight * ((epsilon - noise) * mu).sum()).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert torch.allclose(x, task.estimate(mu.detach()), rtol=0, atol=1e-12)


# --- ddrm -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta_b", [1.0, 0.6])
def test_ddrm_keeps_the_marginals_of_the_forward_process_in_every_frequency(eta_b: float) -> None:
    """Theorem 3.2: with x̂_0 = x_0, x̄_t given x_0 is N(x_0, σ_t²) where the data say much, little, and nothing."""
    n, side, sigma = 400, 16, 0.05
    rng = generator("ddrm")
    noise = sigma * rng.standard_normal((n, 1, side, side))
    prior = Constant(torch.zeros(1, 1, side, side, dtype=torch.float64))
    given = problem(list(0.5 + noise), TRIANGLE, sigma, prior)  # x_0 = 0 in [-1, 1] units
    x = solve("ddrm", given, steps=8, eta_b=eta_b)
    assert torch.isfinite(x).all()
    assert len(prior.asked) == 8
    for asked, t in prior.asked:
        a, s = prior.schedule.scales(torch.tensor(t))
        ratio = power(asked / a) / (s / a) ** 2
        assert torch.allclose(ratio.mean(0), torch.ones(side // 2 + 1, dtype=torch.float64), atol=0.12)
        assert ratio.mean() == pytest.approx(1, abs=0.03)


def test_ddrm_of_clean_unblurred_data_returns_them() -> None:
    y = ((Scene.make(PRIOR, 0.1, size=32).truth + 1) / 2).numpy()[None]
    x = solve("ddrm", problem([y], sigma=1e-6), steps=10)
    # The last network call still removes noise of the prior's lowest σ, 0.005 in [0, 1] units.
    assert np.sqrt(((x[0].numpy() - y) ** 2).mean()) < 0.005


# --- daps -----------------------------------------------------------------------------------------------------


def test_daps_samples_the_gaussian_of_x0_given_the_data_exactly() -> None:
    n, side, sigma = 600, 16, 0.1
    y = 0.5 + 0.2 * generator("daps").standard_normal((1, side, side))
    prior = Constant(torch.zeros(1, 1, side, side, dtype=torch.float64))
    given = problem([y] * n, TRIANGLE, sigma / 2, prior)
    solve("daps", given, steps=2, flow=1, highest=0.5, lowest=0.05)
    asked, t = prior.asked[1]
    level = at_sigma(prior.schedule, 0.05)
    assert t == pytest.approx(level.t)
    task, r2 = Task(given, "mean"), 0.5**2
    x = asked / level.a
    K = task.K[0]
    mean = torch.fft.irfft2(
        r2 * K.conj() * torch.fft.rfft2(task.y[0]) / (r2 * K.abs() ** 2 + sigma**2), s=(side, side)
    )
    variance = (r2 * sigma**2 / (r2 * K.abs() ** 2 + sigma**2) + level.sigma**2)[0]
    assert ((x.mean(0) - mean) ** 2).mean() == pytest.approx(float(variance.mean() / n), rel=0.3)
    ratio = power(x - mean) / variance
    assert torch.allclose(ratio.mean(0), torch.ones(side // 2 + 1, dtype=torch.float64), atol=0.08)


def test_daps_evaluates_the_network_once_for_each_step_of_the_flow() -> None:
    given = problem([picture()])
    solve("daps", given, steps=4, flow=3)
    assert given.cost.nfe_forward == 12


@pytest.mark.parametrize("settings", [{"steps": 0}, {"flow": 0}, {"lowest": 0.0}, {"lowest": 30.0}, {"spread": 0.0}])
def test_daps_refuses_levels_that_do_not_descend(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="lowest <= highest"):
        made("daps", **settings)


# --- denoising ------------------------------------------------------------------------------------------------


def test_tstar_is_the_posterior_mean_in_one_evaluation_whatever_the_noise_of_each_image() -> None:
    scenes = [Scene.make(PRIOR, s, size=32, index=i, psf=np.ones((1, 1))) for i, s in enumerate((0.1, 0.3, 0.6))]
    parts = [problem([((s.y + 1) / 2).numpy()[None]], sigma=s.sigma / 2) for s in scenes]
    together = assemble(
        [
            Measurement(p.y[0].numpy(), p.y[0].numpy(), np.ones((1, 1)), 1.0, NoiseLevel(0.0, s.sigma / 2))
            for p, s in zip(parts, scenes, strict=True)
        ],
        [generator(i) for i in range(3)],
        boundary="circular",
        dtype=torch.float64,
        prior=lambda cost: Denoiser(PRIOR, cost),
    )
    x = solve("tstar_denoise", together)
    for i, scene in enumerate(scenes):
        assert torch.allclose(2 * x[i, 0] - 1, scene.mean, atol=1e-5)
    assert together.cost.nfe_forward == 1


def test_the_reverse_sde_from_tstar_samples_the_posterior() -> None:
    scene = Scene.make(PRIOR, 0.3, size=32, psf=np.ones((1, 1)))
    given = problem([((scene.y + 1) / 2).numpy()[None]] * 8, sigma=0.15)
    x = 2 * solve("tstar_denoise", given, sample=150) - 1
    ratio = float(((x - scene.mean) ** 2).sum((1, 2, 3)).mean() / scene.variance.sum())
    assert 0.93 < ratio < 1.03  # ancestral steps fall short in proportion to their size
    assert float(((x.mean(0) - scene.mean) ** 2).sum() / scene.variance.sum()) < 0.2  # 1/8 for exact samples


@pytest.mark.parametrize(("name", "settings"), [("tstar_denoise", {"sample": 5}), ("vpsde_denoise", {"steps": 2})])
def test_where_the_stride_adds_pixels_the_network_sees_the_picture_mirrored(
    name: str, settings: dict[str, Any]
) -> None:
    prior = Constant(torch.full((1, 1, 1, 1), 0.25, dtype=torch.float64))
    prior.stride = 8
    y = generator("odd sides").random((1, 28, 21))
    level = NoiseLevel(0.0, 0.05)
    measured = [Measurement(y=y, truth=y, psf=np.ones((1, 1)), T=1.0, level=level)]
    given = assemble(measured, [Scripted()], dtype=torch.float64, prior=lambda cost: Denoiser(prior, cost))
    x = solve(name, given, **settings)
    assert x.shape == given.y.shape
    assert torch.allclose(2 * x - 1, torch.full_like(x, 0.25))
    first = prior.asked[0][0]
    assert first.shape[-2:] == (32, 24)
    assert torch.equal(first[..., 28:, :], first[..., 23:27, :].flip(-2))


@pytest.mark.parametrize("name", ["tstar_denoise", "vpsde_denoise"])
def test_a_denoiser_refuses_to_deblur(name: str) -> None:
    with pytest.raises(SettingError, match="use the operator identity"):
        solve(name, problem([picture()], TRIANGLE))


@pytest.mark.parametrize("form", ["code", "text"])
def test_vpsde_mixes_the_measurement_in_as_it_says(form: str) -> None:
    given, again = (problem([picture()], sigma=0.1) for _ in range(2))
    task = Task(again, "mean")
    (now,) = levels(PRIOR.schedule, "uniform", 1)
    lam = now.s**2 / (now.s**2 + 0.2**2)
    x = (lam if form == "code" else 1 - lam) * task.noise() + lam * task.y
    expected = task.estimate(task.x0(x, now).clamp(-1, 1))
    assert torch.allclose(solve("vpsde_denoise", given, steps=1, form=form), expected, atol=1e-12)


def test_vpsde_visits_the_cosine_schedule_as_far_as_the_prior_goes() -> None:
    prior = Constant(torch.zeros(1, 1, 8, 8, dtype=torch.float64))
    solve("vpsde_denoise", problem([picture(side=8)], prior=prior), steps=9, schedule="cosine")
    cosine = Schedule.make("cosine")
    wanted = cosine.sigma(torch.linspace(len(cosine) - 1, 0, 9, dtype=torch.float64))
    sigmas = prior.schedule.sigma(torch.tensor([t for _, t in prior.asked], dtype=torch.float64))
    ends = prior.schedule.log_sigmas[[0, -1]].exp()
    assert torch.allclose(sigmas, wanted.clamp(ends[0], ends[1]), rtol=1e-6)
    assert (sigmas[1:-1] == wanted.clamp(ends[0], ends[1])[1:-1]).float().mean() < 1  # not the prior's own


def test_both_forms_of_vpsde_lose_to_one_evaluation_and_the_form_of_the_code_by_far() -> None:
    scenes = [Scene.make(PRIOR, 0.3, size=32, index=i, psf=np.ones((1, 1))) for i in range(4)]
    truth = torch.stack([s.truth for s in scenes])[:, None]
    y = [((s.y + 1) / 2).numpy()[None] for s in scenes]

    def mse(name: str, **settings: Any) -> float:
        return float(((2 * solve(name, problem(y, sigma=0.15), **settings) - 1 - truth) ** 2).mean())

    best = mse("tstar_denoise")
    text, code = (mse("vpsde_denoise", steps=200, form=form) for form in ("text", "code"))
    assert text > 1.2 * best
    assert code > 2 * text


# --- deepinv's ------------------------------------------------------------------------------------------------


def test_our_prior_keeps_its_units_within_deepinv() -> None:
    scene = Scene.make(PRIOR, 0.3, size=32, psf=np.ones((1, 1)))
    cost = Cost()
    denoise = DeepinvPrior(Denoiser(PRIOR, cost), torch.float64, torch.device("cpu"))
    x = denoise((scene.y[None, None] + 1) / 2, torch.tensor([0.15]))
    assert torch.allclose(2 * x[0, 0] - 1, scene.mean, atol=1e-5)
    assert cost.nfe_forward == 1


def test_evaluations_of_deepinv_are_counted() -> None:
    given = problem([picture(), picture(1)], TRIANGLE)
    solve("deepinv_diffpir", given, steps=6)
    assert (given.cost.nfe_forward, given.cost.nfe_backward) == (12, 0)
    given = problem([picture()], TRIANGLE)
    solve("deepinv_dps", given, steps=6)
    assert given.cost.nfe_backward == given.cost.nfe_forward == 5


def test_deepinv_diffpir_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    solve("deepinv_diffpir", problem([picture()]), steps=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_deepinv_diffpir_is_told_of_photon_noise_too() -> None:
    def given(level: NoiseLevel) -> Problem:
        one = Measurement(picture(), picture(), TRIANGLE, 1.0, level)
        return assemble(
            [one], [generator(0)], boundary="circular", dtype=torch.float64, prior=lambda cost: Denoiser(PRIOR, cost)
        )

    variance = 0.01 * picture().mean() + 0.02**2
    photons = solve("deepinv_diffpir", given(NoiseLevel(0.01, 0.02)), steps=5)
    plain = solve("deepinv_diffpir", given(NoiseLevel(0.0, variance**0.5)), steps=5)
    assert torch.allclose(photons, plain, atol=1e-6)


def test_dps_of_deepinv_misses_the_data_at_its_default_weight() -> None:
    scene = Scene.make(PRIOR, 0.1, size=32)

    def misfit(weight: float) -> float:
        given = problem([((scene.y + 1) / 2).numpy()[None]], scene.psf, 0.05)
        x = solve("deepinv_dps", given, steps=100, weight=weight)
        return float((given.y - given.blur.A(x)).square().mean().sqrt() / 0.05)

    free, default, strong = misfit(0.0), misfit(1.0), misfit(300.0)
    assert default > 0.6 * free
    assert default > 3  # 1 would fit the data as well as their noise allows
    assert strong < 1.5
