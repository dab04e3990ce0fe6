"""The forward process of a prior: its schedule, a picture on its way to noise, and what the prior makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from bench.contracts import Dataset
from bench.grid.cells import Ref, instance
from bench.methods.diffusion.denoiser import Denoiser, placed
from bench.methods.diffusion.levels import level
from bench.methods.problem import Prior
from bench.plugins.lookup import find_plugin
from bench.seeds import generator

if TYPE_CHECKING:
    from pathlib import Path

    from bench.grid.variants import Variant
    from bench.methods.diffusion.denoiser import PriorModel
    from bench.methods.diffusion.schedule import Schedule

#: side of the drawn slice that is shown where no picture is given
SIDE = 64


class Noised(NamedTuple):
    """A picture at one step.

    Attributes:
        t: the step. ``sigma``: its noise-to-signal ratio.
        x: x_t = a x_0 + s ε, (C, H, W) in [0, 1] units, not clipped.
        x0: E[x_0 | x_t], likewise; None without a prior.
    """

    t: float
    sigma: float
    x: np.ndarray
    x0: np.ndarray | None


def model_of(variant: Variant) -> PriorModel:
    """The model of a prior, on the CPU. Raises WeightsError."""
    prior = instance(Ref.of(variant.plugin, variant.settings))
    assert isinstance(prior, Prior)
    return placed(prior.load(), torch.float32, "cpu")


def curves(schedule: Schedule) -> dict[str, dict[str, np.ndarray]]:
    """What the figure draws over the steps: the amplitudes, ᾱ, β per step, σ = s / a."""
    t = torch.arange(len(schedule), dtype=torch.float64)
    a, s = schedule.scales(t)
    lines = {
        "amplitudes": {"a = √ᾱ": a, "s = √(1 - ᾱ)": s},
        "signal left": {"ᾱ": a**2},
        "noise added": {"β(t)": schedule.beta(t)},
        "noise-to-signal ratio": {"σ = s / a": a.reciprocal() * s},
    }
    return {title: {k: v.numpy() for k, v in group.items()} for title, group in lines.items()}


@torch.no_grad()
def forward(schedule: Schedule, picture: np.ndarray, frames: int, model: PriorModel | None = None) -> list[Noised]:
    """A picture at steps spread evenly over the schedule, all with the same noise ε.

    Args:
        picture: (C, H, W) in [0, 1]; as many channels as the model takes.
        model: the prior, asked once at each step.
    """
    x0 = torch.from_numpy(2 * picture - 1).float()[None]
    noise = torch.from_numpy(generator("forward process").standard_normal(x0.shape)).float()
    done = []
    for t in np.linspace(0, len(schedule) - 1, frames).round():
        at = level(schedule, float(t))
        x = at.a * x0 + at.s * noise
        estimate = None if model is None else Denoiser(model).x0(x, at)
        done.append(Noised(at.t, at.sigma, _shown(x), None if estimate is None else _shown(estimate)))
    return done


def picture_for(channels: int, file: Path | None) -> np.ndarray:
    """The picture of a file, or a drawn slice, with so many channels: (C, H, W) in [0, 1]. Raises DataError."""
    from bench.imaging import picture_files

    if file is not None:
        return picture_files.read(file, "gray" if channels == 1 else "rgb")
    phantoms = instance(Ref.of(find_plugin("dataset", "phantoms"), {"size": SIDE, "margin": 0, "limit": 1}))
    assert isinstance(phantoms, Dataset)
    return np.repeat(phantoms.load(phantoms.ids()[0]).scene, channels, 0)


def _shown(x: torch.Tensor) -> np.ndarray:
    return ((x[0] + 1) / 2).numpy()
