"""SwinIR (Liang et al. 2021) for a single image or a burst: deepinv's transformer with a head of our own."""

from __future__ import annotations

import warnings
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from bench.methods.networks.fold import fold, refuse_sides, unfold

#: What the transformer computes from the image size alone; stored weights do without it.
DERIVED = ("attn_mask", "relative_position_index")


class SwinIRConfig(BaseModel):
    """What a SwinIR is built from.

    Attributes:
        width: channels of a token; published: 180 (full), 60 (light).
        depths: transformer layers of each block; published: 6 times 6 (full), 4 times 6 (light).
        heads: attention heads in each layer.
        window: side of the windows that attend to themselves; every other layer shifts them by half.
        frames: images in, of which the middle one is restored; 1 for a single image.
        space_to_depth: side r of the r × r pixel blocks that are folded into channels; 1 for none.
        image_channels: 1 for gray, 3 for colour.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["swinir"]
    width: int = Field(default=60, ge=6)
    depths: tuple[int, ...] = Field(default=(6, 6, 6, 6), min_length=1)
    heads: int = Field(default=6, ge=1)
    window: int = Field(default=8, ge=2)
    mlp_ratio: float = Field(default=2.0, gt=0)
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    frames: int = Field(default=1, ge=1)
    space_to_depth: int = Field(default=1, ge=1)
    image_channels: Literal[1, 3] = 1
    informed: Literal[False] = False

    @model_validator(mode="after")
    def _fits(self) -> SwinIRConfig:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads = {self.heads}, got {self.width}")
        if self.frames % 2 == 0:
            raise ValueError(f"frames must be odd, so that one is in the middle, got {self.frames}")
        return self

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.space_to_depth * self.window

    @property
    def least(self) -> int:
        """The smallest side."""
        return self.stride


class SwinIR(nn.Module):
    """Blurred frames (B, N C, H, W) -> the middle one, restored, (B, C, H, W): a correction of that frame."""

    def __init__(self, config: SwinIRConfig) -> None:
        from deepinv import models

        super().__init__()
        self.config = config
        folded = config.image_channels * config.space_to_depth**2
        arguments: dict[str, Any] = {
            "img_size": 8 * config.window,  # a mere preset of the masks: other sizes compute theirs
            "in_chans": config.frames * folded,
            "embed_dim": config.width,
            "depths": config.depths,
            "num_heads": (config.heads,) * len(config.depths),
            "window_size": config.window,
            "mlp_ratio": config.mlp_ratio,
            "drop_path_rate": config.drop_path,
            "pretrained": None,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.meshgrid without `indexing`, in deepinv
            self.body = models.SwinIR(**arguments)
        self.body.conv_last = nn.Conv2d(config.width, folded, 3, padding=1)
        for parameter in self.body.conv_last.parameters():
            nn.init.zeros_(parameter)  # a correction starts from none
        for module in self.body.modules():
            for name in DERIVED:
                if name in module._buffers:
                    module.register_buffer(name, module._buffers[name], persistent=False)

    def forward(self, y: Tensor) -> tuple[Tensor]:
        """The estimate, alone in a tuple. Raises SettingError for sides off the stride."""
        refuse_sides(y, self.config.stride, self.config.least)
        body, r, C = self.body, self.config.space_to_depth, self.config.image_channels
        middle = C * (self.config.frames // 2)
        shallow = body.conv_first(fold(y, r))
        deep = body.conv_after_body(body.forward_features(shallow)) + shallow
        return (y[:, middle : middle + C] + unfold(body.conv_last(deep), r),)
