"""Learned perceptual image patch similarity."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from bench import Context, Metric
from bench.scoring import lpips
from bench.scoring.backbones import require_file


@dataclass(frozen=True)
class Lpips(Metric):
    """LPIPS 0.1 of Zhang et al. (2018) with the features of AlexNet or VGG16, images scaled to [-1, 1], gray repeated
    to three channels; empty without the weights.
    """

    label: ClassVar[str | dict[str, str]] = {"lpips_alex": "LPIPS", "lpips_vgg": "LPIPS-VGG"}
    better = "lower"
    range = (0.0, None)
    family = "perception"
    smallest = 32  # below 31 AlexNet's third pooling has nothing to pool, 32 is the round number
    tolerance = (2e-4, 1e-3, 1e-2)
    presets: ClassVar[dict[str, dict[str, Any]]] = {"lpips_alex": {"net": "alex"}, "lpips_vgg": {"net": "vgg"}}
    reference = "Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018"

    net: Literal["alex", "vgg"] = "alex"
    weights: str = ""  #: file of the network as torchvision has it; "": BENCH_LPIPS_WEIGHTS, BENCH_VGG_WEIGHTS, cache

    def __post_init__(self) -> None:
        require_file("lpips", "weights", self.weights)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """In float32 on the CPU, one picture at a time, so that no value depends on a batch."""
        return lpips.distance(truth, estimate, self.net, self.weights)
