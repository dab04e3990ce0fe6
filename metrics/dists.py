"""Deep image structure and texture similarity."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric
from bench.scoring import dists
from bench.scoring.backbones import require_file


@dataclass(frozen=True)
class Dists(Metric):
    """DISTS of Ding et al. (2022): means and covariances of the features of VGG16 and of the picture itself, which
    forgives a texture that is resampled; at the picture's own size, gray repeated to three channels; empty without
    the weights.
    """

    label = "DISTS"
    better = "lower"
    range = (0.0, None)
    family = "perception"
    smallest = 32  # 2 x 2 features at the last stage
    tolerance = (2e-4, 1e-3, 1e-2)
    reference = "Ding, Ma, Wang & Simoncelli, IEEE Trans. Pattern Analysis and Machine Intelligence 44, 2022"

    weights: str = ""  #: file of VGG16 as torchvision has it; "": BENCH_VGG_WEIGHTS, then torchvision's cache
    layers: str = ""  #: file of the authors' alpha and beta; "": the one that comes with torchmetrics

    def __post_init__(self) -> None:
        require_file("dists", "weights", self.weights)
        require_file("dists", "layers", self.layers)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """In float32 on the CPU, one picture at a time, so that no value depends on a batch."""
        return dists.distance(truth, estimate, self.weights, self.layers)
