"""EPLL's prior: the exact denoiser of a patch under a mixture, and of pictures by overlapping patches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bench.errors import SettingError
from bench.methods.diffusion import patch_mixture
from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.levels import at_sigma
from bench.methods.diffusion.patch_mixture import PatchMixture
from bench.testing import check_prior

SIDE, D = 4, 16


def covariance(seed: int, size: float) -> Tensor:
    a = torch.randn(D, D, generator=torch.Generator().manual_seed(seed)).double() * size
    centring = torch.eye(D).double() - 1 / D
    return centring @ (a @ a.T / D) @ centring


def mixture(*sizes: float) -> PatchMixture:
    shares = torch.arange(1, len(sizes) + 1)
    return PatchMixture(shares, torch.stack([covariance(i, s) for i, s in enumerate(sizes)]), -0.1, 0.25)


def gaussian(model: PatchMixture, seed: int, size: float) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a patch of one component, its mean included."""
    ones = torch.ones(D, dtype=torch.float64)
    return model.patch_mean * ones, covariance(seed, size) + model.patch_variance * torch.outer(ones, ones)


def noisy(n: int = 200) -> Tensor:
    return torch.randn(1, n, D, generator=torch.Generator().manual_seed(9)).double()


@pytest.mark.parametrize("sigma", [0.05, 1.0, 30.0])
def test_one_component_is_the_wiener_estimate(sigma: float) -> None:
    model, y = mixture(0.5), noisy()
    m, C = gaussian(model, 0, 0.5)
    wiener = m + (y - m) @ torch.linalg.solve(C + sigma**2 * torch.eye(D), C)
    torch.testing.assert_close(model.patches(y, torch.full((1, 1, 1), sigma, dtype=torch.float64)), wiener)


def test_several_components_are_the_posterior_mean_of_their_mixture() -> None:
    """By Bayes' rule from the densities of torch.distributions."""
    model, y, sigma = mixture(0.5, 1.0, 0.1), noisy(), 0.2
    eye, parts, logs = torch.eye(D).double(), [], []
    for k, size in enumerate((0.5, 1.0, 0.1)):
        m, C = gaussian(model, k, size)
        noisy_patch = torch.distributions.MultivariateNormal(m, C + sigma**2 * eye)
        logs.append(noisy_patch.log_prob(y) + math.log((k + 1) / 6))
        parts.append(m + (y - m) @ torch.linalg.solve(C + sigma**2 * eye, C))
    weight = torch.stack(logs).softmax(0)[..., None]
    exact = (weight * torch.stack(parts)).sum(0)
    torch.testing.assert_close(model.patches(y, torch.full((1, 1, 1), sigma, dtype=torch.float64)), exact)


def test_a_pixel_is_the_mean_over_the_patches_that_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a picture is taken in bands, each of a row of patches."""
    model, sigma = mixture(0.5, 1.0), 0.3
    at = at_sigma(model.schedule, sigma)
    x = torch.randn(2, 1, 9, 7, generator=torch.Generator().manual_seed(1)).double()
    total, count = torch.zeros_like(x), torch.zeros(9, 7).double()
    for i in range(9 - SIDE + 1):
        for j in range(7 - SIDE + 1):
            patch = x[:, 0, i : i + SIDE, j : j + SIDE].reshape(2, 1, D)
            estimate = model.patches(patch, torch.full((2, 1, 1), at.sigma, dtype=torch.float64))
            total[:, 0, i : i + SIDE, j : j + SIDE] += estimate.reshape(2, SIDE, SIDE)
            count[i : i + SIDE, j : j + SIDE] += 1
    for budget in (patch_mixture.BUDGET, 1):
        monkeypatch.setattr(patch_mixture, "BUDGET", budget)
        torch.testing.assert_close(model.x0(at.a * x, torch.full((2,), at.t)), total / count)


def test_the_gradient_is_that_of_the_estimate_without_memory_of_its_bands() -> None:
    model = mixture(0.5, 1.0)
    x = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: model.x0(v, torch.tensor([300.0])), x)


def test_a_picture_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(SettingError, match="do not fit on 3 x 9"):
        mixture(0.5).x0(torch.zeros(1, 1, 3, 9), torch.zeros(1))
    with pytest.raises(SettingError, match="as many square covariances"):
        PatchMixture(torch.ones(2), torch.eye(D)[None], 0.0, 1.0)


def test_the_shipped_mixture_conforms() -> None:
    check_prior("patch_gmm")


def test_the_shipped_mixture_denoises_photographs_as_its_card_says() -> None:
    """PSNR at σ = 25 of 255 on photographs that it was not fitted to: above those of a Gaussian prior."""
    from bench.datasets.photos import Photos  # pyright: ignore[reportMissingImports]
    from bench.priors.gaussian import Gaussian  # pyright: ignore[reportMissingImports]
    from bench.priors.patch_gmm import PatchGmm  # pyright: ignore[reportMissingImports]

    dataset = Photos(split="val", size=64, margin=0, limit=4)
    x = torch.stack([torch.from_numpy(dataset.load(i).scene) for i in dataset.ids()]).float() * 2 - 1
    sigma = 2 * 25 / 255
    y = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))

    def error(prior: object) -> float:
        denoiser = Denoiser(prior.load())  # type: ignore[attr-defined]  # a Prior
        at = at_sigma(denoiser.schedule, sigma)
        with torch.no_grad():
            return float((denoiser.x0(at.a * y, at) - x).square().mean())

    assert error(PatchGmm()) < 0.7 * error(Gaussian()) < 0.7 * sigma**2
