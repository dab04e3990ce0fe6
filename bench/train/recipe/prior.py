"""Recipes of trainings that learn a diffusion prior."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bench.methods.networks.prior import NetworkConfig
from bench.train.recipe.base import BaseRecipe, NoiseConfig, Part, ScheduleConfig, fit


class LossConfig(Part):
    """``balanced``: each level's squared error is divided by its running mean, so that all count alike.

    ``frequency``: λ of study 003's loss, the mean of ||F x̂_0| - |F x_0|| with the unnormalised 2-D FFT.
    """

    weighting: Literal["balanced", "none"] = "balanced"
    frequency: float = Field(default=0.0, ge=0)


class Validation(Part):
    """One-step denoising of centre crops, every so many steps; σ in grey levels of 255.

    ``samples``: pictures to draw from pure noise with DDIM in ``sample_steps`` steps; 0 draws no pictures at all.
    """

    every: int = Field(default=500, ge=1)
    sigmas: tuple[float, ...] = Field(default=(10.0, 25.0, 50.0), min_length=1)
    samples: int = Field(default=8, ge=0)
    sample_steps: int = Field(default=50, ge=1)


class Recipe(BaseRecipe):
    """The training of a diffusion prior."""

    network: NetworkConfig
    prediction: Literal["epsilon", "v"] = "epsilon"
    schedule: ScheduleConfig = ScheduleConfig()
    noise: NoiseConfig = NoiseConfig()
    loss: LossConfig = LossConfig()
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        fit(self.size, self.network.stride)
        return self

    @property
    def mode(self) -> Literal["gray", "rgb"]:
        """What the images are loaded as: what the network takes."""
        return "gray" if getattr(self.network, "image_channels", 1) == 1 else "rgb"
