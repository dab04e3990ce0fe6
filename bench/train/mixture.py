"""Fitting a mixture of Gaussians to patches by expectation maximisation (Zoran & Weiss 2011, section 5)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import DataError
from bench.methods.diffusion.error_spectrum import measure
from bench.methods.diffusion.levels import at_sigma
from bench.methods.diffusion.patch_mixture import PatchMixture
from bench.methods.networks import weights
from bench.train.checkpoint import write_atomically
from bench.train.data import images
from bench.train.recipe.mixture import MixtureRecipe
from bench.train.validate import noisy, psnr

#: Variance of rounding to 8 bits, in [-1, 1] units: what a patch of equal pixels still has.
ROUNDING = (2 / 255) ** 2 / 12
#: Side of the crops that are validated and calibrated on, as in the recipes of priors.
CROP = 64
#: Responsibilities below this enter no covariance: they would change it by less than it is known.
NEGLIGIBLE = 1e-4
#: Patches whose responsibilities are computed at once.
TOGETHER = 512


@dataclass(frozen=True)
class Mixture:
    """π (K,), Σ (K, d, d) of patches without their mean, float64; mean and variance of those means.

    Attributes:
        log_likelihood: of a patch without its mean, in nats: the mean over the patches, after each iteration.
    """

    shares: Tensor
    covariances: Tensor
    mean: float
    variance: float
    log_likelihood: tuple[float, ...]


def run(
    recipe: MixtureRecipe,
    out: Path,
    *,
    data_root: Path | None = None,
) -> Path:
    """Fit what a recipe says; returns ``out/best.safetensors``: single precision, its card in the header.

    Args:
        recipe: see ``bench.train.recipe.mixture``.
        out: a folder.
        data_root: folder that relative paths of images start from; the current one by default.

    Raises DataError where images are missing or too small.
    """
    begin, root = time.process_time(), data_root or Path()
    pictures = images.load(recipe.data.train, CROP, root)
    mixture = fit(_patches(recipe, pictures), recipe, lambda text: _say(f"{recipe.name}: {text}"))
    model = PatchMixture(mixture.shares, mixture.covariances, mixture.mean, mixture.variance).float()
    figures = validate(model, images.centres(images.load(recipe.data.val, CROP, root), CROP), recipe.sigmas)
    card = _card(recipe, mixture, figures) | _calibration(recipe, model, pictures)
    card["processor_minutes"] = round((time.process_time() - begin) / 60, 1)
    tensors = {"shares": mixture.shares, "covariances": mixture.covariances}
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "best.safetensors", weights.encode(tensors, card, torch.float32))
    return out / "best.safetensors"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def export(source: Path, target: Path) -> Path:
    """The weights file of ``run`` under another name, with its card beside it (.json); returns the card's path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".json").unlink(missing_ok=True)
    write_atomically(target, source.read_bytes())
    return weights.write_card(target)


# --- the fit --------------------------------------------------------------------------------------------------


def fit(patches: Tensor, recipe: MixtureRecipe, say: Callable[[str], None] = lambda _: None) -> Mixture:
    """Expectation maximisation of Σ_k π_k N(0, Σ_k), from groups of patches of equal contrast.

    Args:
        patches: (n, d) in [-1, 1], means included.

    Raises DataError for fewer patches than components.
    """
    if len(patches) < recipe.components:
        raise DataError(f"{len(patches)} patches are too few for {recipe.components} components")
    means = patches.mean(1)
    z = patches - means[:, None]
    shares = torch.full((recipe.components,), 1 / recipe.components, dtype=torch.float64)
    covariances = _first(z, recipe.components, recipe.seed)
    history: list[float] = []
    for i in range(recipe.iterations):
        shares, covariances, log = _step(z, shares, covariances)
        history.append(log)
        say(f"iteration {i + 1}: log likelihood {log:.3f}")
        if i and history[-1] - history[-2] < recipe.tolerance:
            break
    return Mixture(shares, covariances, float(means.mean()), float(means.var()), tuple(history))


def _first(z: Tensor, components: int, seed: int) -> Tensor:
    """The covariances of groups of patches with like contrast, each group a random part of its contrasts.

    Components begin as a mixture of scales, which is most of what a mixture learns of photographs, and differ
    enough within a scale to part.
    """
    order = z.square().sum(1).argsort()
    rng = torch.Generator().manual_seed(seed)
    scales = max(1, round(components**0.5))
    groups: list[Tensor] = []
    for s, part in enumerate(order.tensor_split(scales)):
        wanted = components * (s + 1) // scales - components * s // scales
        shuffled = part[torch.randperm(len(part), generator=rng)]
        # Few patches each, lest the groups of a scale be alike.
        groups += [g[: 2 * z.shape[1]] for g in shuffled.tensor_split(wanted)]
    return torch.stack([_covariance(z[g], torch.ones(len(g), dtype=z.dtype)) for g in groups])


def _step(z: Tensor, shares: Tensor, covariances: Tensor) -> tuple[Tensor, Tensor, float]:
    """One iteration: responsibilities, then shares and covariances; and the log likelihood before it."""
    whitening, constants = _whitening(covariances, z.dtype)
    log_shares = shares.log().to(z.dtype)
    responsibilities, total = [], 0.0
    for part in z.split(TOGETHER):
        along = torch.einsum("nd,kde->kne", part, whitening)
        log = (log_shares + constants)[:, None] - 0.5 * along.square().sum(-1)
        total += float(log.logsumexp(0).double().sum())
        responsibilities.append(log.softmax(0))
    weight = torch.cat(responsibilities, 1)  # (K, n)
    counts = weight.double().sum(1)
    several = torch.stack([_weighted(z, w) for w in weight])
    # A component that explains nothing any more stays as it was, with next to no share.
    alive = (counts > 1).view(-1, 1, 1)
    counts = counts.clamp(min=1e-3)
    return counts / counts.sum(), torch.where(alive, several, covariances), total / len(z)


def _weighted(z: Tensor, weight: Tensor) -> Tensor:
    chosen = weight > NEGLIGIBLE
    return _covariance(z[chosen], weight[chosen])


def _covariance(z: Tensor, weight: Tensor) -> Tensor:
    """Σ w z zᵀ / Σ w, plus the variance of rounding outside of the patches' mean; float64 (d, d)."""
    d = z.shape[1]
    centring = torch.eye(d, dtype=torch.float64) - 1 / d
    return (z.T @ (weight[:, None] * z)).double() / weight.double().sum().clamp(min=1e-12) + ROUNDING * centring


def _whitening(covariances: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """W (K, d, d - 1) with |Wᵀ z|² = zᵀ Σ⁺ z, and the logarithm of each component's density at 0, (K,).

    The first axis of a covariance is the patches' mean, in which nothing varies.
    """
    spectrum, axes = torch.linalg.eigh(covariances)
    spectrum, axes = spectrum[:, 1:], axes[:, :, 1:]
    constants = -0.5 * (spectrum.log().sum(1) + spectrum.shape[1] * np.log(2 * np.pi))
    return (axes / spectrum.sqrt()[:, None]).to(dtype), constants.to(dtype)


# --- what goes in, and what comes of it -----------------------------------------------------------------------


def _patches(recipe: MixtureRecipe, pictures: images.Images) -> Tensor:
    """(patches, d) in [-1, 1], drawn as the crops of other trainings are."""
    drawn = images.batch(pictures, recipe.augment, recipe.size, recipe.patches, (recipe.seed, recipe.name))
    return torch.from_numpy(drawn).reshape(recipe.patches, -1)


def denoise(model: PatchMixture, y: Tensor, sigma: float) -> Tensor:
    """E[x | y = x + sigma n] of images (n, 1, H, W) in [-1, 1] units, a few at a time."""
    at = at_sigma(model.schedule, sigma)
    return torch.cat([model.x0(at.a * p, torch.full((len(p),), at.t, dtype=torch.float64)) for p in y.split(4)])


@torch.no_grad()
def validate(model: PatchMixture, crops: np.ndarray, sigmas: tuple[float, ...]) -> dict[str, float]:
    """``psnr_25`` and the like: denoising in one evaluation, on the noise that other priors are validated on."""
    parts = {s: denoise(model, torch.from_numpy(noisy(crops, s)), 2 * s / 255).numpy() for s in sigmas}
    return {f"psnr_{s:g}": psnr(estimate, crops) for s, estimate in parts.items()}


@torch.no_grad()
def _calibration(recipe: MixtureRecipe, model: PatchMixture, pictures: images.Images) -> dict[str, Any]:
    if not recipe.calibration:
        return {}
    crops = images.centres(pictures, CROP)
    chosen = np.random.default_rng(0).permutation(len(crops))[: recipe.calibration]
    error = measure(torch.as_tensor(crops[chosen]), lambda y, sigma: denoise(model, y, sigma))
    return {"calibration": error.card()}


def _card(recipe: MixtureRecipe, mixture: Mixture, figures: dict[str, float]) -> dict[str, Any]:
    return {
        "kind": "mixture",
        "name": recipe.name,
        "summary": recipe.summary,
        "components": recipe.components,
        "size": recipe.size,
        "patches": recipe.patches,
        "patch_mean": round(mixture.mean, 5),
        "patch_variance": round(mixture.variance, 5),
        "parameters": mixture.shares.numel() + mixture.covariances.numel(),
        "data": list(recipe.data.credits),
        "iterations": len(mixture.log_likelihood),
        "log_likelihood": round(mixture.log_likelihood[-1], 3),
        "validation": {k: round(v, 3) for k, v in figures.items()},
        "recipe_sha256": recipe.sha,
    }
