"""The recipe of a training: typed, from YAML, with errors that say what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import SettingError, did_you_mean
from bench.networks.prior import NetworkConfig
from bench.seeds import digest
from bench.settings import describe
from bench.train.alter import Alteration
from bench.train.errors import RecipeError

if TYPE_CHECKING:
    from bench.train.restoration import ConditionalRecipe, RestorerRecipe


class Part(BaseModel):
    """A section of a recipe: typed, nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Part):
    """Images: a folder (``path``, relative to the data root) or a dataset plug-in with its settings.

    ``repeat`` draws images whose name matches a glob more often: {"cid22_*": 3}.
    """

    path: str | None = None
    dataset: str | None = None
    settings: dict[str, Any] = {}
    repeat: dict[str, float] = {}

    @model_validator(mode="after")
    def _one(self) -> Source:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("give either path (a folder of images) or dataset (the name of a plug-in)")
        return self


class Data(Part):
    """Training and validation images, and the words that the card must carry about them."""

    train: Source
    val: Source
    credits: tuple[str, ...] = Field(min_length=1)


class ScheduleConfig(Part):
    """Noise schedule of the diffusion."""

    name: Literal["linear", "cosine"] = "linear"
    steps: int = Field(default=1000, ge=2)


class NoiseConfig(Part):
    """How training draws noise levels: log-normal σ in [-1, 1] units, mixed with uniform steps."""

    log_mean: float = -1.4
    log_std: float = Field(default=1.4, gt=0)
    uniform: float = Field(default=0.15, ge=0, le=1)


class LossConfig(Part):
    """``balanced``: each level's squared error is divided by its running mean, so that all count alike.

    ``frequency``: λ of seed 003's loss, the mean of ||F x̂_0| - |F x_0|| with the unnormalised 2-D FFT.
    """

    weighting: Literal["balanced", "none"] = "balanced"
    frequency: float = Field(default=0.0, ge=0)


class Augment(Part):
    """Flips, a random downscaling by a factor in [scale, 1] of that share of the crops, one of the alterations.

    ``resize``: take the whole image, resized to the training size, in place of a crop.
    ``one_of``: each training image gets one of these (see ``bench.train.alter``), all equally likely.
    """

    resize: bool = False
    one_of: tuple[Alteration, ...] = ()

    flips: tuple[Literal["horizontal", "vertical"], ...] = ("horizontal",)
    scale: float = Field(default=0.5, gt=0, le=1)
    scale_share: float = Field(default=0.5, ge=0, le=1)


class Optimiser(Part):
    """Adam or AdamW, gradient clipping, warm-up, and how the rate ends.

    ``wsd``: constant, and in the last ``decay`` steps down to zero as 1 - √ (Hägele et al. 2024). ``cosine``: from
    the start to the end. ``warm_restarts``: a cosine that starts anew every ``period`` steps.
    """

    name: Literal["adam", "adamw"] = "adam"
    lr: float = Field(default=3e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    warmup: int = Field(default=500, ge=0)
    end: Literal["wsd", "cosine", "warm_restarts"] = "wsd"
    decay: int = Field(default=4000, ge=1)
    period: int = Field(default=1000, ge=1)


class Validation(Part):
    """One-step denoising of centre crops, every so many steps; σ in grey levels of 255.

    ``samples``: pictures to draw from pure noise with DDIM in ``sample_steps`` steps; 0 draws no pictures at all.
    """

    every: int = Field(default=500, ge=1)
    sigmas: tuple[float, ...] = Field(default=(10.0, 25.0, 50.0), min_length=1)
    samples: int = Field(default=8, ge=0)
    sample_steps: int = Field(default=50, ge=1)


class BaseRecipe(Part):
    """What every training is determined by, apart from where the images lie.

    ``init``: shipped weights, or a .safetensors file of ours, to start from in place of random ones.
    ``parameters``: how many the network must have, where that is known from elsewhere. ``compile``: torch.compile.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    summary: str
    data: Data
    size: int = Field(ge=8)
    parameters: int | None = None
    init: str | None = None
    augment: Augment = Augment()
    optimiser: Optimiser = Optimiser()
    ema: float = Field(default=0.999, ge=0, lt=1)
    batch: int = Field(default=32, ge=1)
    steps: int = Field(ge=1)
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0

    #: What may change when a training is resumed: lengths, device, intervals and where data lies.
    free: ClassVar[tuple[str, ...]] = (
        "summary", "parameters", "steps", "validation", "checkpoint_minutes", "device", "data", "compile",
    )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What must not change when a training is resumed: all but ``free`` and the length of the decay."""
        kept = self.model_dump(mode="json", exclude={**dict.fromkeys(self.free, True), "optimiser": {"decay"}})
        return {**kept, "repeat": self.data.train.repeat}

    @property
    def sha(self) -> str:
        """sha256 of what the recipe says; defaults that it leaves unsaid do not enter."""
        return digest(self.model_dump(mode="json", exclude_unset=True))


def fit(size: int, stride: int, least: int = 1) -> None:
    """Raise ValueError unless a network of that stride and smallest side takes images of that size."""
    if size % stride or size < least:
        at_least = f", at least {least}" if size < least else ""
        raise ValueError(f"size must be a multiple of the network's stride {stride}{at_least}, got {size}")


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


if TYPE_CHECKING:
    AnyRecipe = Recipe | ConditionalRecipe | RestorerRecipe


def read(path: Path, **overrides: Any) -> AnyRecipe:
    """The recipe in a YAML file, of the kind that it names; ``overrides`` replace top-level entries.

    Raises RecipeError.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a recipe: {error}") from error
    if not isinstance(given, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of name, summary, data, size, network, steps and more")
    try:
        return model_of(str(given.get("kind", "prior"))).model_validate({**given, **overrides})
    except ValidationError as error:
        raise RecipeError(f"{path}: {describe(error)}") from error
    except SettingError as error:
        raise RecipeError(f"{path}: {error}") from error


def model_of(kind: str) -> type[AnyRecipe]:
    """The model of recipes of a kind: prior (also when unsaid), conditional or restorer. Raises SettingError."""
    from bench.train.restoration import ConditionalRecipe, RestorerRecipe

    models: dict[str, type[AnyRecipe]] = {
        "prior": Recipe,
        "conditional": ConditionalRecipe,
        "restorer": RestorerRecipe,
    }
    if kind not in models:
        raise SettingError(f"no kind {kind!r} of training. {did_you_mean(kind, models)}")
    return models[kind]
