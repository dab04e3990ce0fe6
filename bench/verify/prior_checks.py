"""What every prior must keep; ``bench.testing`` is the public door to these checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.methods.diffusion.denoiser import Denoiser, placed
from bench.methods.diffusion.levels import Level, at_sigma, level
from bench.methods.problem import Prior
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build

#: How far a float64 estimate may move because its image rode in another batch.
ROUNDING = 1e-8


def check_prior(
    name: str, settings: Mapping[str, Any] | None = None, *, base: Path | None = None, size: int = 32
) -> None:
    """Check a prior: shapes, batch independence, gradients, and that it removes noise in [-1, 1] units at each level.

    Args:
        name: a built-in name or a path to a file.
        settings: its parameters; defaults otherwise.
        base: the folder that a relative path starts from.
        size: side of the test picture in pixels.
    """
    plugin = find_plugin("prior", name, base)
    prior = build(plugin, load_plugin(plugin), settings or {})
    assert isinstance(prior, Prior)
    assert plugin.summary, f"{name}: its class has no docstring for bench list to show"
    model = placed(prior.load(), torch.float64, "cpu")
    assert model.channels in (1, 3), f"{name}: channels must be 1 or 3, got {model.channels}"
    denoiser, x = Denoiser(model), _picture(model.channels, size)
    with torch.no_grad():
        _check_batches(denoiser, name, x)
        _check_errors(denoiser, name, x)
    _check_gradient(denoiser, name, x)


def _picture(channels: int, size: int) -> Tensor:
    """Boxes on a ramp, (1, channels, size, size) in [-1, 1]."""
    x = torch.linspace(-0.6, 0.4, size, dtype=torch.float64).expand(1, channels, size, size).clone()
    third = size // 3
    x[..., third : 2 * third, third:] = 0.7
    x[..., : third // 2, : 2 * third] = -0.8
    return x


def _noisy(x: Tensor, at: Level, seed: int = 0) -> Tensor:
    noise = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))
    return at.a * x + at.s * noise


def _levels(denoiser: Denoiser) -> list[Level]:
    """Three levels of the prior's range, up to σ = 1, uniform in log σ."""
    schedule = denoiser.schedule
    low = level(schedule, 0.0).sigma
    high = min(level(schedule, len(schedule) - 1.0).sigma, 1.0)
    return [at_sigma(schedule, low * math.exp(p * math.log(high / low))) for p in (0.2, 0.6, 1.0)]


def _check_batches(denoiser: Denoiser, name: str, x: Tensor) -> None:
    several = _levels(denoiser)
    batch = torch.cat([_noisy(x, at, i) for i, at in enumerate(several)])
    together = denoiser.x0(batch, several)
    assert together.shape == batch.shape, f"{name}: x0 of {tuple(batch.shape)} has the shape {tuple(together.shape)}"
    assert together.dtype == batch.dtype, f"{name}: x0 of {batch.dtype} is {together.dtype}"
    assert torch.isfinite(together).all(), f"{name}: x0 has non-finite values"
    for i, at in enumerate(several):
        gap = (denoiser.x0(batch[i : i + 1], at)[0] - together[i]).abs().max().item()
        assert gap < ROUNDING, f"{name}: image {i} alone and within a batch of three differ by up to {gap:.3g}"


def _check_errors(denoiser: Denoiser, name: str, x: Tensor) -> None:
    """E|x̂_0 - x|² falls with σ, and is less than that of doing nothing: wrong units or scales would show here."""
    errors = [(at.sigma, float(((denoiser.x0(_noisy(x, at), at) - x) ** 2).mean())) for at in _levels(denoiser)]
    for sigma, error in errors[1:]:
        assert error < sigma**2, (
            f"{name}: at σ = {sigma:.3g} the error is {math.sqrt(error):.3g}, no less than the noise: are images in "
            "[-1, 1], and σ in the same units?"
        )
    rising = [e for _, e in errors]
    assert rising == sorted(rising), f"{name}: the error does not fall with σ: {rising}"


def _check_gradient(denoiser: Denoiser, name: str, x: Tensor) -> None:
    at = _levels(denoiser)[1]
    given = _noisy(x, at).requires_grad_()
    (gradient,) = torch.autograd.grad(denoiser.x0(given, at).sum(), given)
    assert torch.isfinite(gradient).all(), f"{name}: the gradient through x0 has non-finite values"
    assert gradient.abs().max() > 0, f"{name}: no gradient comes through x0 (a torch.no_grad inside?)"
