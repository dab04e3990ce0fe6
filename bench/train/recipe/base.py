"""What the recipes of all trainings say: data, augmentation, optimiser, lengths."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.seeds import digest

Alteration = Literal[
    "none", "rotate_left", "rotate_right", "flip", "gaussian", "salt_and_pepper", "brightness", "contrast"
]


Layout = Literal["images", "gopro", "rsblur", "ct_sequence"]
#: study 004's: the whole of torchvision's transforms of those names, which change what a blur did to a pixel
Colour = Literal["jitter", "autoaugment"]


class Part(BaseModel):
    """A section of a recipe: typed, nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Part):
    """Images: a folder (``path``, relative to the data root), a dataset plug-in with its settings, or a mix of such.

    ``repeat`` draws images whose name matches a glob more often: {"cid22_*": 3}. ``limit`` takes so many of a
    folder's images or recorded pairs, spread evenly over their names. Of a ``mix`` every source has its ``share`` of
    the draws, all alike by default, however many images it has; ``layout`` is that of a folder of pairs where the mix
    has several.
    """

    path: str | None = None
    dataset: str | None = None
    settings: dict[str, Any] = {}
    repeat: dict[str, float] = {}
    limit: int | None = Field(default=None, ge=1)
    mix: tuple[Source, ...] = ()
    share: float = Field(default=1.0, gt=0)
    layout: Layout | None = None

    @model_validator(mode="after")
    def _one(self) -> Source:
        if (self.path is not None) + (self.dataset is not None) + bool(self.mix) != 1:
            raise ValueError(
                "give either path (a folder of images), dataset (the name of a plug-in) or mix (several)"
            )
        if any(s.mix for s in self.mix):
            raise ValueError("a mix holds folders and datasets, no mixes")
        return self

    @property
    def sources(self) -> tuple[Source, ...]:
        """Those of a mix, or this one."""
        return self.mix or (self,)


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


class Augment(Part):
    """Flips, a random downscaling by a factor in [scale, 1] of that share of the crops, one of the alterations.

    ``resize``: take the whole image, resized to the training size, in place of a crop.
    ``one_of``: each training image gets one of these (see ``bench.train.data.alter``), all equally likely.
    ``colour``: what study 004 tried and gave up: "jitter", "autoaugment", in this order; a pair's pictures alike.
    """

    resize: bool = False
    one_of: tuple[Alteration, ...] = ()
    colour: tuple[Colour, ...] = ()
    flips: tuple[Literal["horizontal", "vertical"], ...] = ("horizontal",)
    scale: float = Field(default=0.5, gt=0, le=1)
    scale_share: float = Field(default=0.5, ge=0, le=1)


class Optimiser(Part):
    """Adam, AdamW or Muon (see ``bench.train.muon``), gradient clipping, warm-up, and how the rate ends.

    ``wsd``: constant, and in the last ``decay`` steps down to zero as 1 - √ (Hägele et al. 2024). ``cosine``: from
    the start to the end. ``warm_restarts``: a cosine that starts anew every ``period`` steps.
    """

    name: Literal["adam", "adamw", "muon"] = "adam"
    lr: float = Field(default=3e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    warmup: int = Field(default=500, ge=0)
    end: Literal["wsd", "cosine", "warm_restarts"] = "wsd"
    decay: int = Field(default=4000, ge=1)
    period: int = Field(default=1000, ge=1)


class BaseRecipe(Part):
    """What every training is determined by, apart from where the images lie.

    ``init``: shipped weights, or a .safetensors file of ours, to start from in place of random ones.
    ``parameters``: how many the network must have, where that is known from elsewhere. ``compile``: torch.compile, on
    a GPU. ``accumulate``: so many batches make the gradient of a step. ``workers``: processes that make batches ahead
    of the step; 0 makes them in between. ``keep``: how many of the last validations leave their weights and pictures
    in folders of their own.
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
    accumulate: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)
    steps: int = Field(ge=1)
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    keep: int = Field(default=0, ge=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0

    #: The field with the length of the training.
    length: ClassVar[str] = "steps"
    #: What may change when a training is resumed: lengths, device, intervals and where data lies.
    free: ClassVar[tuple[str, ...]] = (
        "summary", "parameters", "steps", "validation", "checkpoint_minutes", "keep", "device", "data", "compile",
        "workers",
    )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What must not change when a training is resumed: all but ``free`` and the length of the decay."""
        fixed = self.model_dump(mode="json", exclude={**dict.fromkeys(self.free, True), "optimiser": {"decay"}})
        mixed = [[s.share, s.repeat] for s in self.data.train.mix]
        return {**fixed, "repeat": self.data.train.repeat, "mix": mixed}

    @property
    def sha(self) -> str:
        """sha256 of what the recipe says; defaults that it leaves unsaid do not enter."""
        return digest(self.model_dump(mode="json", exclude_unset=True))


def fit(size: int, stride: int, least: int = 1) -> None:
    """Raise ValueError unless a network of that stride and smallest side takes images of that size."""
    if size % stride or size < least:
        at_least = f", at least {least}" if size < least else ""
        raise ValueError(f"size must be a multiple of the network's stride {stride}{at_least}, got {size}")
