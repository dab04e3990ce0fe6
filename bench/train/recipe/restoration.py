"""Recipes of trainings that learn restoration: pairs of blurred and sharp images in, a deblurring network out."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from bench.errors import BenchError
from bench.grid.variants import variants
from bench.methods.networks.conditional import ConditionalConfig
from bench.methods.networks.convir import ConvIRConfig
from bench.methods.networks.restorer import RestorerConfig
from bench.methods.networks.unrolled import UnrolledConfig
from bench.train.recipe.base import BaseRecipe, Layout, NoiseConfig, Part, ScheduleConfig, fit


class Degradation(Part):
    """How sharp images are blurred: the sections of a grid, drawn anew for every crop, all variants equally likely.

    ``trajectories`` of an operator says how many of its PSFs there are in the whole training, as in a grid; with one,
    the kernel is fixed. Exposures T of one operator share their trajectories.

    Attributes:
        blur, noise: lists of entries as in a grid.
        boundary: "valid" draws on ``margin`` pixels of scene around the crop; "circular" wraps the crop round.
        psf_seed, split: whose kernels are drawn: by default the recipe's own, which no grid tests. With the seed of a
            grid and ``split: test`` they are that grid's, for a network that is meant to know its kernel.
    """

    blur: list[Any]
    noise: list[Any]
    boundary: Literal["valid", "circular"] = "valid"
    margin: int = Field(default=16, ge=0)
    psf_seed: int | None = None
    split: Literal["train", "val", "test"] = "train"

    @field_validator("blur", "noise", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return _finite(value)

    @model_validator(mode="after")
    def _fits(self) -> Degradation:
        try:
            variants("operator", self.blur)
            variants("noise", self.noise)
        except BenchError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def room(self) -> int:
        """Pixels of scene that a crop needs around it."""
        return self.margin if self.boundary == "valid" else 0


def _finite(value: Any) -> Any:
    """Plain data with infinity spelled "inf": JSON has no such number, and settings take the word for it."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return "inf" if isinstance(value, float) and math.isinf(value) and value > 0 else value


class PairsConfig(Part):
    """How the folders of images are laid out.

    Attributes:
        layout: "images": sharp images, to be degraded. "gopro": sequences with ``sharp`` and ``blur`` folders (Nah et
            al. 2017). "rsblur": shots with ``gt/gt_sharp.png`` and ``real_blur/real_blur.png`` (Rim et al. 2022).
            "ct_sequence": frames in the order of their names, to be degraded; as recorded, where they lie in folders
            ``sharp`` and ``blurred``.
        blurred: which blurred frames of gopro: linear or with the camera's gamma.
        halved: average 2 × 2 pixels first.
        holdout: what validation sees and training does not: the share at the end of a ct_sequence; of gopro's
            sequences, where training and validation name the same folder.
        tested: share at the very end of a ct_sequence that neither sees, since it is tested on.
    """

    layout: Layout = "images"
    blurred: Literal["blur", "blur_gamma"] = "blur"
    halved: bool = False
    holdout: float = Field(default=0.25, gt=0, lt=1)
    tested: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _leaves_something(self) -> PairsConfig:
        if self.holdout + self.tested >= 1:
            raise ValueError("holdout and tested leave nothing to train on: their sum must be below 1")
        return self


class RestorationValidation(Part):
    """Restoration of centre crops, every so many steps: the same degradation each time.

    Attributes:
        crops: how many.
        pictures: how many of them are shown; 0 for none.
        samples: how many are also restored by sampling (conditional).
        sample_steps: evaluations per sample.
    """

    every: int = Field(default=500, ge=1)
    crops: int = Field(default=64, ge=1)
    pictures: int = Field(default=8, ge=0)
    samples: int = Field(default=16, ge=0)
    sample_steps: int = Field(default=20, ge=1)


class _Restoration(BaseRecipe):
    """What both kinds share."""

    degradation: Degradation | None = None
    pairs: PairsConfig = PairsConfig()
    validation: RestorationValidation = RestorationValidation()

    @model_validator(mode="after")
    def _pairs_fit(self) -> _Restoration:
        for layout in sorted(
            {s.layout or self.pairs.layout for d in (self.data.train, self.data.val) for s in d.sources}
        ):
            if layout == "images" and self.degradation is None:
                raise ValueError("sharp images need a degradation section: what blurs them")
            if layout in ("gopro", "rsblur") and self.degradation is not None:
                raise ValueError(f"{layout} pairs are recorded: there is nothing for a degradation to do")
        if self.augment.resize or self.augment.one_of:
            raise ValueError("augment: resize and one_of are not for restoration")
        return self

    @property
    def margin(self) -> int:
        """Pixels of scene around a crop."""
        return 0 if self.degradation is None else self.degradation.room


class ConditionalRecipe(_Restoration):
    """The training of a conditional diffusion model.

    ``predictor_loss``: weight of the predictor's own mean absolute error, where the network has a predictor; 0 leaves
    the predictor as it is. ``predictor_init``: shipped weights of a restorer, or a .safetensors file of ours, that it
    starts from.
    """

    kind: Literal["conditional"]
    network: ConditionalConfig
    prediction: Literal["epsilon", "v"] = "v"
    schedule: ScheduleConfig = ScheduleConfig()
    noise: NoiseConfig = NoiseConfig()
    weighting: Literal["balanced", "none"] = "balanced"
    predictor_loss: float = Field(default=1.0, ge=0)
    predictor_init: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> ConditionalRecipe:
        if self.network.informed and self.degradation is None:
            raise ValueError("informed networks need a degradation section: recorded pairs have no PSF")
        if self.predictor_init is not None and self.network.predictor is None:
            raise ValueError("predictor_init is for a network with a predictor")
        fit(self.size, self.network.stride, self.network.least)
        return self


class RestorationLoss(Part):
    """The loss of a restorer.

    Attributes:
        name: "l1"; "charbonnier", the mean of √(d² + ε²) with ε = 1e-3; "multiscale", ConvIR's sum over three scales
            of L1 + ``frequency`` times L1 of the real and imaginary parts of the 2-D FFTs.
        frequency: λ of multiscale.
        gradient_penalty: study 004's: this times the norm of the gradient of the loss in all parameters is added.
    """

    name: Literal["l1", "charbonnier", "multiscale"] = "l1"
    frequency: float = Field(default=0.1, ge=0)
    gradient_penalty: float = Field(default=0.0, ge=0)


class RestorerRecipe(_Restoration):
    """The training of a network that restores in one evaluation."""

    kind: Literal["restorer"]
    network: RestorerConfig = Field(discriminator="kind")
    loss: RestorationLoss = RestorationLoss()

    @model_validator(mode="after")
    def _fits(self) -> RestorerRecipe:
        if isinstance(self.network, ConvIRConfig) and self.network.informed:
            raise ValueError("an informed ConvIR is the predictor of a conditional model")
        fit(self.size, self.network.stride, self.network.least)
        if self.network.frames > 1 and self.pairs.layout != "ct_sequence":
            raise ValueError("a burst needs pairs: {layout: ct_sequence}")
        return self


class UnrolledRecipe(_Restoration):
    """The training of an unrolled solver. ``size`` is the side of the scene, of which the sensor sees the inside."""

    kind: Literal["unrolled"]
    network: UnrolledConfig

    @property
    def margin(self) -> int:
        """None around the scene: every PSF leaves a margin of its own inside it."""
        return 0

    @model_validator(mode="after")
    def _fits(self) -> UnrolledRecipe:
        if self.degradation is None or self.degradation.boundary != "valid" or self.pairs.layout != "images":
            raise ValueError("an unrolled solver learns from sharp images and a degradation with boundary: valid")
        fit(self.size, self.network.stride)
        return self
